import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository, runProgram, type Outcome, type System } from './system.ts';

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
export async function runCommand(system: System, line: string): Promise<Outcome> {
  // What npm puts around the command is npm's; the programs of this repository are ours.
  const ours = line.replaceAll('npx spike', `'${process.execPath}' bin/spike.mjs`);
  const outcome = await runProgram('/bin/sh', ['-c', ours], { env: { SPIKE_HOME: system.home.root } });
  const [, code = '0', reason = ''] = /# exits with (\d+): (\w+)/.exec(line) ?? [];
  assert.equal(outcome.code, Number(code), `${line}\n${outcome.stdout}${outcome.stderr}`);
  assert.ok(outcome.stderr.includes(reason), `${line}\n${outcome.stderr}`);
  return outcome;
}
