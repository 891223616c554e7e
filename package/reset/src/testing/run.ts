import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { openTerminal } from '@spike/host/testing';

export interface ScriptRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Both streams, as they came. */
  readonly output: string;
}

export interface RunScriptOptions {
  readonly shell?: string;
  readonly args?: readonly string[];
  /** Typed at the terminal, a line each; without a terminal they are the standard input. */
  readonly answers?: readonly string[];
  readonly terminal?: boolean;
  /** The whole environment; that of the test by default. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What the shell gets on its standard input instead of the script's name. */
  readonly piped?: string;
  /** Words before the shell: a program that sets something and becomes the shell. */
  readonly before?: readonly string[];
}

const longestMs = 60_000;

/** Runs a script to its end in a shell, at a pseudo-terminal unless told otherwise. */
export async function runScript(script: string, options: RunScriptOptions = {}): Promise<ScriptRun> {
  const { shell = 'sh', args = [], answers = [], terminal = true } = options;
  using tty = terminal ? openTerminal() : undefined;
  const words = [...(options.before ?? []), shell, ...(options.piped === undefined ? [script] : []), ...args];
  const child = spawn(words[0] ?? shell, words.slice(1), {
    stdio: [tty?.device ?? 'pipe', 'pipe', 'pipe'],
    // A process group of its own: a signal to it is what Ctrl-C is in a terminal.
    detached: true,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), longestMs);
  const typed = answers.map((line) => `${line}\n`).join('');
  if (tty !== undefined) writeSync(tty.controller, typed);
  else child.stdin?.on('error', () => undefined).end(options.piped ?? typed);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal, output }));
    });
  } finally {
    clearTimeout(killer);
  }
}

/** Runs a program without input to its end; both streams, as they came. */
export async function runProgram(
  command: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return await new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, output }));
  });
}

/** Every file and folder below, with what is in it: two of them are equal only when nothing was changed between. */
export async function takePicture(
  root: string,
  isLeftOut: (name: string) => boolean = () => false,
): Promise<Readonly<Record<string, string>>> {
  const picture: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(root, path);
    if (isLeftOut(name)) continue;
    const { mode } = await lstat(path);
    const content = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : entry.isSymbolicLink()
        ? await readlink(path)
        : '';
    picture[name] = `${mode.toString(8)} ${content}`;
  }
  return picture;
}
