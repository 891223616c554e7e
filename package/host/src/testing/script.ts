import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const timeoutMs = 20_000;

/** Runs a module text as a process of its own and answers what it printed. */
export async function runScript(source: string, args: readonly string[] = []): Promise<string> {
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', source];
  const { stdout } = await run(process.execPath, [...flags, '--', ...args], { timeout: timeoutMs });
  return stdout;
}
