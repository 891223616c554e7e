import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthority, SpiffeId, TrustDomain, X509BundleSet } from '@spike/spiffe';
import { StaticSource } from '@spike/spiffe/testing';
import { NexusGate } from './gate.ts';
import type { CustodyState } from './recovery/custody.ts';

const trustDomain = TrustDomain.parse('spike.ist');

function open(state: CustodyState, now = new Date()) {
  const authority = CertificateAuthority.create({ trustDomain, now });
  const svid = authority.issueX509Svid({
    id: SpiffeId.from(trustDomain, '/spike/nexus'),
    lifetimeMs: 60_000,
    now,
  });
  const source = new StaticSource(svid, X509BundleSet.of(authority.bundle()));
  return { source, svid, gate: new NexusGate(source, { state, message: 'why' }) };
}

test('each state of the root key lets through what can be answered in it', () => {
  const allowed = {
    empty: ['any', 'ceremony'],
    locked: ['any'],
    ready: ['any', 'ceremony', 'unlocked'],
  } as const;
  for (const [state, needs] of Object.entries(allowed)) {
    const { gate } = open(state as keyof typeof allowed);
    for (const need of ['any', 'ceremony', 'unlocked'] as const) {
      if ((needs as readonly string[]).includes(need)) gate.check(need);
      else assert.throws(() => gate.check(need), { code: 'state_not_ready' });
    }
  }
  assert.throws(() => open('store_missing').gate.check('unlocked'), { code: 'store_missing' });
  assert.throws(() => open('store_integrity').gate.check('ceremony'), { code: 'store_integrity' });
});

test('a withdrawn identity closes the gate in the same turn and changes the epoch; its return does not change it back', () => {
  const { source, svid, gate } = open('ready');
  const before = gate.identityEpoch;
  gate.check('unlocked');
  source.withdraw();
  assert.throws(() => gate.check('any'), { code: 'identity_withdrawn' });
  assert.notEqual(gate.identityEpoch, before);
  source.set(svid, X509BundleSet.of());
  gate.check('unlocked');
  assert.notEqual(gate.identityEpoch, before);
});

test('without an agent the last identity serves until it expires', () => {
  const { source, gate } = open('ready');
  source.unreachable();
  gate.check('unlocked');
  const expired = open('ready', new Date(Date.now() - 120_000));
  expired.source.unreachable();
  assert.throws(() => expired.gate.check('unlocked'), { code: 'identity_withdrawn' });
});
