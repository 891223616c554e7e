import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths } from '@spike/contract';
import { Parts } from './parts.ts';
import { openScratch, System, until } from './system.ts';

test('a store in memory leaves no anchor that would keep the next Nexus from starting', async () => {
  await using parts = await Parts.open();
  await parts.startKeepers();
  for (let life = 0; life < 2; life++) {
    await parts.startNexus({ SPIKE_NEXUS_BACKEND_STORE: 'memory' });
    await parts.nexus.reach('ready');
    await parts.nexus.end('SIGTERM');
  }
  await parts.startNexus();
  await parts.nexus.reach('empty');
});

test('an identity that expires while the agent is away is forgotten with all keys, and the process serves when it is back', async () => {
  await using parts = await Parts.bootstrapped();
  const call = await parts.callNexus();
  const { startedAt } = await call.status({ verify: false });
  const all = Object.values(rolePaths);
  parts.agent.say(parts.agent.issue(all, { lifetimeMs: 3_000 }));
  const { pid } = parts.nexus;
  await until('Nexus has the short identity', async () => {
    const { identity } = await call.status({ verify: false });
    return identity !== undefined && Date.parse(identity.expiresAt) < Date.now() + 10_000;
  });
  await parts.agent.stop();
  await parts.nexus.reach('starting');
  assert.match(await readFile(`/proc/${pid}/cmdline`, 'utf8'), /app\/nexus/, 'it is the same process');
  parts.agent.say(parts.agent.issue(all));
  await parts.agent.start();
  await parts.nexus.reach('ready');
  const back = await (await parts.callNexus()).status({ verify: false });
  assert.notEqual(back.startedAt, startedAt);
});

test('the recovery shares of a store that vanished are not replaced by those of a new one', async () => {
  await using scratch = await openScratch();
  const options = { home: join(scratch.path, 'home') };
  let shares: string;
  {
    await using system = await System.start(options);
    const share = join(system.home.recovery, 'spike.recovery.1.txt');
    shares = await readFile(share, 'utf8');
    await system.stop();
    await rm(system.home.nexus, { recursive: true });
  }
  await using again = await System.start(options);
  await until('it says why it does not begin anew', () =>
    /holds the recovery shares of an earlier one/.test(again.output),
  );
  assert.equal((await again.health())?.state, 'empty');
  assert.equal(await readFile(join(again.home.recovery, 'spike.recovery.1.txt'), 'utf8'), shares);
});
