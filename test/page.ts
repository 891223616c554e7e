import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository, runProgram, type Outcome, type RunOptions, type System } from './system.ts';
import { runAtTerminal, type Line } from './terminal.ts';

/** The shell commands of a page, or of one section of it, in their order. */
export async function readCommands(page: string, section?: string): Promise<readonly string[]> {
  const text = await readFile(join(repository, page), 'utf8');
  const begin = section === undefined ? 0 : text.indexOf(`## ${section}`);
  assert(begin >= 0, `${page} has no section ${section ?? ''}`);
  const end = section === undefined ? text.length : text.indexOf('\n## ', begin + 1);
  const blocks = [...text.slice(begin, end).matchAll(/```sh\n(.*?)```/gs)];
  return blocks.flatMap(([, block = '']) => block.split('\n').filter((line) => line !== ''));
}

/** Runs one of them as a reader would; the comment of a command says how it ends, when that is not well. */
export async function runCommand(
  system: System,
  line: string,
  cwd = repository,
  { env = {}, ...options }: RunOptions = {},
): Promise<Outcome> {
  const outcome = await runProgram('/bin/sh', ['-c', toOurs(line)], {
    cwd,
    ...options,
    env: { SPIKE_HOME: system.home.root, ...env },
  });
  checkEnd(line, outcome, outcome.stderr);
  return outcome;
}

/** The same for a person at a terminal, who is asked; answers all that it showed. */
export async function typeCommand(
  system: System,
  line: string,
  answers: readonly Line[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const variables = { SPIKE_HOME: system.home.root, PAGER: '', ...env };
  const screen = await runAtTerminal(['/bin/sh', '-c', toOurs(line)], answers, variables);
  checkEnd(line, { code: screen.code, stdout: screen.text, stderr: '' }, screen.text);
  return screen.text;
}

/** What npm puts around the command is npm's; the programs of this repository are ours. */
function toOurs(line: string): string {
  return line.replaceAll('npx spike', `'${process.execPath}' '${repository}/bin/spike.mjs'`);
}

function checkEnd(line: string, { code, stdout, stderr }: Outcome, reasons: string): void {
  const [, wanted = '0', reason = ''] = /# exits with (\d+)(?:: (\w+))?/.exec(line) ?? [];
  assert.equal(code, Number(wanted), `${line}\n${stdout}${stderr}`);
  assert.ok(reasons.includes(reason), `${line}\n${reasons}`);
}
