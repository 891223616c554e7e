import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthority, SpiffeId, TrustDomain, X509BundleSet } from '@spike/spiffe';
import { StaticSource } from '@spike/spiffe/testing';
import { NexusGate } from './gate.ts';
import { IdentityTerm } from './identity/term.ts';
import type { CustodyState } from './recovery/custody.ts';

const trustDomain = TrustDomain.parse('spike.ist');

function open(state: CustodyState, now = new Date(), restoring?: object) {
  const authority = CertificateAuthority.create({ trustDomain, now });
  const svid = authority.issueX509Svid({
    id: SpiffeId.from(trustDomain, '/spike/nexus'),
    lifetimeMs: 60_000,
    now,
  });
  const source = new StaticSource(svid, X509BundleSet.of(authority.bundle()));
  return {
    source,
    svid,
    gate: new NexusGate(
      source,
      {
        state,
        message: 'why',
        opened: { backups: { restoring }, denials: { denies: () => false } },
      },
      new IdentityTerm({ source, graceMs: undefined }),
    ),
  };
}

test('each state of the root key lets through what can be answered in it', () => {
  const allowed = {
    empty: ['any', 'ceremony'],
    locked: ['any'],
    ready: ['any', 'ceremony', 'unlocked', 'restoring'],
  } as const;
  for (const [state, needs] of Object.entries(allowed)) {
    const { gate } = open(state as keyof typeof allowed);
    for (const need of ['any', 'ceremony', 'unlocked', 'restoring'] as const) {
      if ((needs as readonly string[]).includes(need)) gate.check(need);
      else assert.throws(() => gate.check(need), { code: 'state_not_ready' });
    }
  }
  assert.throws(() => open('store_missing').gate.check('unlocked'), { code: 'store_missing' });
  assert.throws(() => open('store_integrity').gate.check('ceremony'), { code: 'store_integrity' });
});

test('while a backup is restored nothing is let through but the restore and what needs no key', () => {
  const { gate } = open('ready', new Date(), { digest: 'ab' });
  for (const need of ['any', 'ceremony', 'restoring'] as const) gate.check(need);
  assert.throws(() => gate.check('unlocked'), { code: 'state_not_ready', message: /spike backup restore/ });
});

test('who is denied is asked of an unlocked store; without the key nobody is', () => {
  const { source } = open('ready');
  const [app, other] = ['/app', '/other'].map((path) => SpiffeId.from(trustDomain, path));
  assert(app !== undefined && other !== undefined);
  const denials = { denies: (id: SpiffeId) => id.equals(app) };
  const opened = { backups: { restoring: undefined }, denials };
  const term = { ended: undefined };
  const gate = new NexusGate(source, { state: 'ready', message: '', opened }, term);
  assert.deepEqual([gate.denies(app), gate.denies(other)], [true, false]);
  const locked = new NexusGate(source, { state: 'locked', message: '', opened: undefined }, term);
  assert.equal(locked.denies(app), false);
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

test('a grace without an agent ends at the gate to the millisecond', () => {
  const { source } = open('ready');
  let now = 0;
  const term = new IdentityTerm({ source, graceMs: 3_000, ticks: () => now });
  const gate = new NexusGate(source, { state: 'ready', message: '' }, term);
  source.unreachable();
  now = 2_999;
  gate.check('unlocked');
  now = 3_000;
  for (const need of ['any', 'unlocked'] as const)
    assert.throws(() => gate.check(need), { code: 'identity_withdrawn' });
});

test('a gate that was closed lets nothing through until there is another answer with our identity', () => {
  const { source, svid, gate } = open('ready');
  const before = gate.identityEpoch;
  source.unreachable();
  gate.close();
  assert.notEqual(gate.identityEpoch, before);
  for (const need of ['any', 'unlocked'] as const)
    assert.throws(() => gate.check(need), { code: 'identity_withdrawn' });
  source.set(svid, X509BundleSet.of());
  gate.check('unlocked');
});
