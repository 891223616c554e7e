import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { SpikeError } from '@spike/error';
import { makeBlocking, resetSignalAction } from './libc.ts';

/** Overwrites the arguments that other processes see in `ps` and `/proc/PID/cmdline`; what is longer than they were is cut. */
export function overwriteTitle(title: string): void {
  process.title = title;
}

/** Looks a command up as a shell does. Throws `data_invalid_input` when there is no such program. */
export function findProgram(command: string, searchPath: string): string {
  const candidates = command.includes('/')
    ? [command]
    : searchPath.split(delimiter).map((directory) => join(directory === '' ? '.' : directory, command));
  const found = candidates.find(isProgram);
  if (found === undefined) {
    throw new SpikeError('data_invalid_input', `there is no program ${JSON.stringify(command)} to run`);
  }
  return isAbsolute(found) ? found : join(process.cwd(), found);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Node ignores SIGPIPE (13) and SIGXFSZ (25), and execve would hand that on to a program that does not expect it. */
const ignoredByNode = [13, 25];
/** Node makes those that are pipes non-blocking, where most programs would fail with EAGAIN. */
const standardStreams = [0, 1, 2];

/**
 * Becomes another program: same pid, and the kernel drops all memory of this one. Descriptors above 2 close. Returns
 * only by throwing: `host_refused` where execve is not to be had or the program can't be started.
 */
export function replaceProcess(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): never {
  if (process.execve === undefined) throw new SpikeError('host_refused', 'this Node has no process.execve');
  if (process.platform === 'linux') {
    for (const signal of ignoredByNode) resetSignalAction(signal);
    for (const fd of standardStreams) makeBlocking(fd);
  }
  const set = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  try {
    process.execve(file, [file, ...args], Object.fromEntries(set));
  } catch (error) {
    throw new SpikeError('host_refused', `${file} could not be started`, { cause: error });
  }
  throw new SpikeError('host_refused', `${file} could not be started`);
}
