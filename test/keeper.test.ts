import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretPath, toValueMap } from '@spike/contract';
import { loseKeepers } from './loss.ts';
import { Parts } from './parts.ts';

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
  await loseKeepers(parts, [3, 1, 2], () => assertSecret(parts));
});
