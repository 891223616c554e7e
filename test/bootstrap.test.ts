import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { Parts } from './parts.ts';

const path = SecretPath.parse('tenants/acme/db');

test('of two Bootstraps at once exactly one wins, and nobody is let in after it', async () => {
  await using parts = await Parts.open();
  await parts.startKeepers();
  await parts.startNexus();
  const codes = (await Promise.all([parts.bootstrap(), parts.bootstrap()])).map(({ code }) => code);
  assert.equal(codes.filter((code) => code === 0).length, 1, codes.join());
  // The other met the lease of the first, or came after it.
  assert.ok([6, 9].includes(codes.find((code) => code !== 0) ?? 0), codes.join());
  await parts.nexus.reach('ready');
  await (await parts.callNexus()).putSecret({ path, values: toValueMap({ k: 'v' }) });

  const late = await parts.bootstrap();
  assert.equal(late.code, 9, late.stderr);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  const { data } = await (await parts.callNexus()).getSecret({ path, version: 0 });
  assert.equal(data['k'], 'v', 'the key of the winner is the one that the Keepers hold');
  await assert.rejects(
    (await parts.callKeeper(1, rolePaths.bootstrap)).contributeShare({ shard: new Uint8Array(32).fill(1) }),
    { code: 'api_bad_request' },
  );
});
