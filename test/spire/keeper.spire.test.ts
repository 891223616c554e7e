import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Installation } from './installation.ts';
import { monotonicMs } from './witness.ts';

test('a Keeper without its entry answers nobody, keeps its share, and gives it when the entry is back', async () => {
  await using installation = await Installation.start();
  const { keepers } = installation;
  await installation.mustSpike(['secret', 'put', 'kept/a', 'word=kept']);
  await installation.reachHolding(1, 2, 3);
  const pids = keepers.map(({ pid }) => pid);
  await using witness = await installation.startWitness('keeper');

  const deletedMs = monotonicMs();
  await installation.withdraw('keeper');
  await witness.sees('denied', deletedMs);
  await installation.reachHolding();
  // Nexus has its root key and needs no Keeper; one that starts now does.
  assert.match(await installation.mustSpike(['secret', 'get', 'kept/a']), /kept/);
  await installation.nexus.end('SIGKILL');
  await installation.startNexus();
  assert.notEqual(await installation.nexus.state(), 'ready');
  const refused = await installation.spike(['secret', 'get', 'kept/a', '--timeout', '5s']);
  assert.notEqual(refused.code, 0, refused.stdout);

  await installation.grant('keeper');
  await installation.nexus.reach('ready');
  assert.match(await installation.mustSpike(['secret', 'get', 'kept/a']), /kept/);
  await installation.reachHolding(1, 2, 3);
  assert.deepEqual(
    keepers.map(({ pid }) => pid),
    pids,
  );
});
