import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialize, newPassword, startGuarded } from './admin.ts';
import { Random } from './random.ts';

/** From before the request to after its answer, on a busy machine, too. */
const longestMs = 3_000;
const rounds = 4;

test('SIGKILL at any moment of init leaves nothing or all of it', async () => {
  const random = new Random();
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    await using system = await startGuarded();
    const { root } = system.home;
    const password = newPassword();
    const init = system.spike(['init', '--password-stdin', '--timeout', '5s'], { input: password });
    await Promise.race([init, new Promise((resolve) => setTimeout(resolve, random.integer(0, longestMs)))]);
    await system.kill();
    const outcome = await init;
    await using again = await startGuarded({ home: root });
    const login = await again.spike(['login', '--password-stdin'], { input: password });
    assert.ok(login.code === 0 || login.code === 10, `${login.stderr}; init: ${outcome.stderr}`);
    if (outcome.code === 0) assert.equal(login.code, 0, 'what was answered is there');
    if (login.code === 0) done += 1;
    else await initialize(again, password);
    await again.mustSpike(['secret', 'put', 'a/b', 'c=d']);
    const names = JSON.parse(await again.mustSpike(['admin', 'list', '-f', 'json'])) as readonly unknown[];
    assert.equal(names.length, 1);
  }
  process.stdout.write(`# killed ${rounds} times, ${done} of them after it was done, seed ${random.seed}\n`);
});
