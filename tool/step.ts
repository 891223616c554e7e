import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Path of a program that a development dependency brings. */
export function binary(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

/** The environment for programs that start `node` by name: ours comes first. */
export function ownNodeFirst(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
}

/** Above what the longest step takes on a slow machine; a test that hangs is then a failure and not a wait. */
const longestMs = 40 * 60_000;

/** Runs one program to its end with our output as its own, prints how long it took, and tells whether it succeeded. */
export async function step(
  name: string,
  command: string,
  args: readonly string[],
  cwd = root,
): Promise<boolean> {
  const started = performance.now();
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: ownNodeFirst() });
  const overdue = setTimeout(() => {
    process.stdout.write(`${name}: not done after ${longestMs / 60_000} minutes\n`);
    child.kill('SIGKILL');
  }, longestMs);
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (exit) => resolve(exit ?? 1));
  });
  clearTimeout(overdue);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`);
  return code === 0;
}
