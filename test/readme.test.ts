import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository, runProgram, System, type Outcome } from './system.ts';

const section = 'The first five minutes';

/** The commands of one section of the README, in their order; the comment of a command says how it ends. */
async function readCommands(): Promise<readonly string[]> {
  const text = await readFile(join(repository, 'README.md'), 'utf8');
  const begin = text.indexOf(`## ${section}`);
  assert(begin >= 0, `the README has no section ${section}`);
  const end = text.indexOf('\n## ', begin + 1);
  const blocks = [...text.slice(begin, end).matchAll(/```sh\n(.*?)```/gs)];
  return blocks.flatMap(([, block = '']) => block.split('\n').filter((line) => line !== ''));
}

async function runInShell(system: System, line: string): Promise<Outcome> {
  // What npm puts around the command is npm's; the programs of this repository are ours.
  const ours = line.replaceAll('npx spike', `'${process.execPath}' bin/spike.mjs`);
  return await runProgram('/bin/sh', ['-c', ours], { env: { SPIKE_HOME: system.home.root } });
}

test('the first five minutes of the README do what it says', async () => {
  const [start, ...commands] = await readCommands();
  assert.equal(start, 'npm start');
  assert.ok(commands.length >= 6, commands.join('\n'));
  await using system = await System.start();
  const outcomes = new Map<string, Outcome>();
  for (const line of commands) {
    const outcome = await runInShell(system, line);
    const [, code = '0', reason = ''] = /# exits with (\d+): (\w+)/.exec(line) ?? [];
    assert.equal(outcome.code, Number(code), `${line}\n${outcome.stdout}${outcome.stderr}`);
    assert.ok(outcome.stderr.includes(reason), `${line}\n${outcome.stderr}`);
    outcomes.set(line, outcome);
  }
  const printed = [...outcomes.values()].map(({ stdout }) => stdout).join('');
  assert.match(printed, /^OK$/m);
  assert.match(printed, /^pass: correct horse$/m);
  assert.match(printed, /^Policy created successfully$/m);
  assert.match(printed, /^connected to the database as app with a password of 13 characters$/m);
  assert.match(printed, /^Nexus: +ready/m);

  // "Stop the system with Ctrl-C and start it again: the secret is still there."
  await system.stop();
  await using again = await System.start({ home: system.home.root });
  assert.equal(await again.mustSpike(['secret', 'get', 'tenants/acme/db', 'pass']), 'correct horse\n');
});
