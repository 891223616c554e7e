import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { Parts } from './parts.ts';
import { until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');

test('an emptied store is missed and never made afresh', async () => {
  await using parts = await Parts.bootstrapped();
  const data = join(parts.home, 'home', 'nexus', 'data');
  await (await parts.callNexus()).putSecret({ path, values: toValueMap({ k: 'v' }) });
  await parts.nexus.end('SIGTERM');
  await rename(data, `${data}.away`);
  const assertMissed = async (): Promise<void> => {
    await parts.nexus.reach('store_missing');
    await assert.rejects((await parts.callNexus()).getSecret({ path, version: 0 }), {
      code: 'store_missing',
    });
    const refused = await parts.bootstrap();
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /store_missing/);
    await parts.nexus.end('SIGTERM');
  };
  await parts.startNexus();
  await assertMissed();
  // Also where the anchor went with it: the Keepers still know the instance.
  await rm(data, { recursive: true });
  const anchor = join(parts.home, 'home', 'nexus', 'anchor.json');
  await rename(anchor, `${anchor}.away`);
  await parts.startNexus();
  await assertMissed();

  await rm(data, { recursive: true });
  await rename(`${data}.away`, data);
  await rename(`${anchor}.away`, anchor);
  await parts.startNexus();
  await parts.nexus.reach('ready');
  assert.equal((await (await parts.callNexus()).getSecret({ path, version: 0 })).data['k'], 'v');
});

test('a Bootstrap that dies in the middle leaves nothing in the way of the next', async () => {
  await using parts = await Parts.open();
  await parts.startKeepers();
  await parts.startNexus({ SPIKE_NEXUS_LEASE_TTL: '500ms' });
  const call = await parts.callNexus(rolePaths.bootstrap);
  const { lease } = await call.beginBootstrap({});
  await assert.rejects(call.beginBootstrap({}), { code: 'bootstrap_lease_held' });
  assert.equal((await call.beginBootstrap({ lease })).lease, lease, 'the holder renews it');
  const keeper = await parts.callKeeper(1, rolePaths.bootstrap);
  await keeper.contributeShare({ shard: new Uint8Array(32).fill(7) });
  await until('the lease is over', async () => (await parts.bootstrap()).code === 0);
  await parts.nexus.reach('ready');
});

test('a second Nexus on the same store is refused, and the first goes on', async () => {
  await using parts = await Parts.bootstrapped();
  const second = await parts.run('nexus', [], {
    SPIKE_NEXUS_TLS_PORT: '127.0.0.1:0',
    SPIKE_NEXUS_HEALTH_PORT: '127.0.0.1:0',
  });
  assert.notEqual(second.code, 0);
  assert.notEqual(second.code, null, 'it ended by itself');
  assert.match(second.stderr, /another process|in use|locked/i);
  await (await parts.callNexus()).putSecret({ path, values: toValueMap({ k: 'v' }) });
});
