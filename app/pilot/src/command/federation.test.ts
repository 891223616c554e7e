import assert from 'node:assert/strict';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import type { RelationshipFlags } from '../option.ts';
import { rehearse } from '../testing/invocation.ts';
import { setRelationship } from './federation.ts';

test('an endpoint is said whole or not at all, before anybody is asked', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-federation-'));
  const { invocation } = rehearse({ env: { SPIKE_HOME: directory.path } });
  const set = (flags: RelationshipFlags) => setRelationship(invocation, 'partner.example', flags);
  const url = 'https://partner.example/';
  for (const [flags, says] of [
    [{ url }, /--profile/],
    [{ profile: 'https_web' }, /--url/],
    [{ endpointId: 'spiffe://partner.example/a' }, /--url/],
    [{ url, profile: 'https_spiffe' }, /--endpoint-id/],
    [{ url, profile: 'https_web', endpointId: 'spiffe://partner.example/a' }, /https_spiffe/],
    [{ bundle: join(directory.path, 'none') }, /there is no such file/],
  ] as const)
    await assert.rejects(set(flags), { code: 'data_invalid_input', message: says });
  // What is whole gets as far as the authority, which is not there.
  const whole = set({ url, profile: 'https_spiffe', endpointId: 'spiffe://partner.example/a' });
  await assert.rejects(whole, (error) => {
    assert.ok(error instanceof Error && error.cause instanceof SpikeError, String(error));
    return error.cause.code === 'net_peer_connection';
  });
});
