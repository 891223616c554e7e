import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository, runProgram, System } from './system.ts';

test('two systems run side by side, and a second launcher on one home is refused', async () => {
  const [one, two] = await Promise.all([System.start(), System.start()]);
  await using _one = one;
  await using _two = two;
  await one.mustSpike(['secret', 'put', 'only/one', 'n=1']);
  assert.deepEqual(JSON.parse(await two.mustSpike(['secret', 'list', '-r', '-f', 'json'])), []);
  assert.equal((await one.context()).trustDomain, (await two.context()).trustDomain);

  const second = await runProgram(
    process.execPath,
    [join(repository, 'bin', 'setup.mjs'), 'start', '--port', '0'],
    { env: { SPIKE_HOME: one.home.root } },
  );
  assert.equal(second.code, 1, second.stderr);
  assert.match(second.stderr, /another system runs in/);
  assert.equal(await one.mustSpike(['secret', 'get', 'only/one', 'n']), '1\n');
});
