import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StaticSource, TestDomain } from '@spike/spiffe/testing';
import { X509BundleSet } from '@spike/spiffe';
import { MemoryAlerts } from '../testing/sink.ts';
import { AuditWatch } from './audit.ts';
import { ClockWatch } from './clock.ts';
import { IdentityWatch } from './identity.ts';

function openClock() {
  const time = { wall: 1_800_000_000_000, monotonic: 0 };
  const alerts = new MemoryAlerts();
  const watch = new ClockWatch({ alerts, wall: () => time.wall, monotonic: () => time.monotonic });
  const pass = (ms: number, wallMs = ms): void => {
    time.monotonic += ms;
    time.wall += wallMs;
    watch.look();
  };
  return { alerts, pass };
}

test('a clock that is set by more than 5 seconds is told of, forward and back', () => {
  const { alerts, pass } = openClock();
  pass(1_000);
  pass(1_000, 6_000);
  assert.equal(alerts.raised.length, 0, 'five seconds are none');
  pass(1_000, 3_600_000 + 1_000);
  assert.deepEqual(alerts.raised[0]?.detail, { seconds: 3_605 });
  for (let n = 0; n < 100; n++) pass(1_000);
  assert.equal(alerts.raised.length, 1, 'once');
  pass(1_000, -365 * 86_400_000);
  assert.match(alerts.raised[1]?.message ?? '', /^the clock was set back by/);
});

test('a clock that is set in small steps is told of, and one that a time service slews is not', () => {
  const slewed = openClock();
  for (let n = 0; n < 100_000; n++) slewed.pass(1_000, 1_000.4);
  assert.equal(slewed.alerts.raised.length, 0, '40 s within 28 hours');
  const stepped = openClock();
  for (let n = 0; n < 10; n++) stepped.pass(1_000, 2_000);
  assert.deepEqual(stepped.alerts.kinds, ['clock_step']);
});

test('an audit that refuses is told of once for each time', () => {
  const alerts = new MemoryAlerts();
  let problem: string | undefined;
  const watch = new AuditWatch({ alerts, problem: () => problem });
  const look = (times: number): void => {
    for (let n = 0; n < times; n++) watch.look();
  };
  look(3);
  problem = 'the disk is full';
  look(3);
  problem = undefined;
  look(3);
  problem = 'the disk is full';
  look(3);
  assert.deepEqual(alerts.kinds, ['audit_sink_failing', 'audit_sink_failing']);
});

function openIdentity(lifetimeMs: number, until?: () => number) {
  const domain = new TestDomain('spike.ist');
  const issue = () => domain.issue('/spike/nexus', { lifetimeMs });
  const source = new StaticSource(issue(), domain.bundles);
  const alerts = new MemoryAlerts();
  const notes: string[] = [];
  const history = { note: (kind: string) => void notes.push(kind) };
  const time = { now: Date.now() };
  const watch = new IdentityWatch({
    source,
    alerts,
    history,
    now: () => time.now,
    ...(until === undefined ? {} : { until }),
  });
  return { domain, issue, source, alerts, notes, time, watch };
}

test('an identity that is lost is told of in the same turn, with its reason, and noted', () => {
  const { alerts, notes, watch } = openIdentity(3_600_000);
  watch.lost({ reason: 'grace_over', at: 0 });
  assert.deepEqual([alerts.kinds, notes], [['identity_withdrawn'], ['withdrawn']]);
  assert.match(alerts.raised[0]?.message ?? '', /SPIKE_NEXUS_AGENT_GRACE/);
});

test('an agent that is away is told of with the time until which Nexus serves', () => {
  const until = Date.parse('2030-01-01T00:00:10Z');
  const { source, alerts } = openIdentity(3_600_000, () => until);
  source.unreachable();
  assert.deepEqual(alerts.raised[0]?.detail, { until: '2030-01-01T00:00:10.000Z' });
  assert.match(alerts.raised[0]?.message ?? '', /serves until 2030-01-01T00:00:10/);
});

test('an identity that is not renewed in time is told of once, and a renewed one is not', () => {
  const { domain, issue, source, alerts, time, watch } = openIdentity(3_600_000);
  time.now += 1_800_000;
  watch.look();
  assert.equal(alerts.raised.length, 0, 'half of its life is left');
  time.now += 1_200_000;
  watch.look();
  watch.look();
  assert.deepEqual(alerts.kinds, ['svid_expiring']);
  time.now = Date.now();
  source.set(issue(), domain.bundles);
  watch.look();
  assert.equal(alerts.raised.length, 1);
  source.unreachable();
  assert.deepEqual(
    alerts.kinds,
    ['svid_expiring', 'svid_expiring'],
    'an agent that is silent renews nothing',
  );
});

test('another authority is told of, by the name of its trust domain, and a new SVID is not', () => {
  const { domain, issue, source, alerts } = openIdentity(3_600_000);
  source.set(issue(), domain.bundles);
  assert.equal(alerts.raised.length, 0);
  const other = new TestDomain('other.test');
  source.set(issue(), X509BundleSet.of(domain.bundle, other.bundle));
  source.set(issue(), X509BundleSet.of(new TestDomain('spike.ist').bundle, other.bundle));
  source.set(issue(), X509BundleSet.of(other.bundle));
  assert.deepEqual(
    alerts.raised.map(({ kind, subject }) => `${kind} ${subject}`),
    ['authority_changed other.test', 'authority_changed spike.ist', 'authority_changed spike.ist'],
  );
});
