import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretPath, toValueMap } from '@spike/contract';
import { openLiar } from './liar.ts';
import { loseKeepers } from './loss.ts';
import { Parts } from './parts.ts';
import { until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ pass: 'correct horse' });
async function assertSecret(parts: Parts): Promise<void> {
  const { data } = await (await parts.callNexus()).getSecret({ path, version: 0 });
  assert.equal(data['pass'], 'correct horse');
}

test('Keepers that die and come back get their shares again, and any two of three bring Nexus back', async () => {
  await using parts = await Parts.bootstrapped();
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  for (const order of [
    [1, 2, 3],
    [3, 1, 2],
  ] as const)
    await loseKeepers(parts, order, () => assertSecret(parts));
});

test('one Keeper of three is not enough, and neither is one with nothing in its memory', async () => {
  await using parts = await Parts.bootstrapped();
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGKILL');
  await parts.keeper(1).end('SIGKILL');
  await parts.keeper(2).end('SIGKILL');
  await parts.startKeeper(2);
  await parts.startNexus();
  const call = await parts.callNexus();
  await until('both were asked', async () => {
    const { keepers, problems } = await call.status({ verify: false });
    return keepers.reachable === 2 && problems.some((text) => text.startsWith('1 of the 2 Keepers'));
  });
  await assert.rejects(call.getSecret({ path, version: 0 }), { code: 'state_not_ready' });
  await assert.rejects((await parts.callKeeper(2)).fetchShare({}), { code: 'api_bad_request' });
});

test('a Keeper that lies neither keeps Nexus from its key nor gives it another', async () => {
  await using parts = await Parts.bootstrapped();
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  const truth = await (await parts.callKeeper(1)).fetchShare({});
  await parts.nexus.end('SIGKILL');
  const lie = Uint8Array.from(truth.shard);
  lie[31] = (lie[31] ?? 0) ^ 1;
  await using liar = await openLiar(parts, { ...truth, shard: lie }, 'ab'.repeat(32));
  const [, second = '', third = ''] = parts.keeperUrls();
  const peers = { SPIKE_NEXUS_KEEPER_PEERS: [liar.url, second, third].join(',') };

  // With one honest Keeper the key cannot be made, and a wrong one is not taken for it.
  await parts.keeper(3).end('SIGKILL');
  await parts.startNexus(peers);
  await until('the liar was heard twice', () => liar.asked >= 2);
  assert.equal(await parts.nexus.state(), 'locked');
  await assert.rejects((await parts.callNexus()).getSecret({ path, version: 0 }), {
    code: 'state_not_ready',
  });
  await parts.nexus.end('SIGKILL');

  // Back with the honest first, which gives the third its share; then the liar is one of three again.
  await parts.startKeeper(3);
  await parts.startNexus();
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus(peers);
  await parts.nexus.reach('ready');
  await assertSecret(parts);
  await (await parts.callNexus()).putSecret({ path, values: toValueMap({ pass: 'correct horse', n: '2' }) });
  const { verify } = await (await parts.callNexus()).status({ verify: true });
  assert.equal(verify?.ok, true);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts);
});
