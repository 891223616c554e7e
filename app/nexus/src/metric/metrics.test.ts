import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '@spike/server';
import { openMemoryStore } from '@spike/store';
import { Metrics, type MetricSources } from './metrics.ts';

const observed = (change: Partial<Observed> = {}): Observed => ({
  action: 'secret.get',
  spiffeId: 'spiffe://spike.ist/workload/app',
  path: 'tenants/acme/db',
  subject: undefined,
  administrator: undefined,
  outcome: 'ok',
  code: undefined,
  durationMicros: 700,
  ...change,
});

const sources: MetricSources = {
  ready: () => true,
  identityEnds: () => undefined,
  keepers: () => ({ reachable: 3, holding: 2, required: 2 }),
  audit: () => ({ size: 10, synced: 7 }),
  storeBytes: async () => 4_096,
  connections: () => 5,
  sessions: () => 1,
  denials: () => 2,
  openAlerts: () => ({ info: 0, warning: 0, critical: 4 }),
};

test('requests, logins, alerts and transactions are counted, and no label has a path or an ID', async () => {
  const metrics = new Metrics();
  metrics.read(sources);
  metrics.observe(observed());
  metrics.observe(observed({ action: 'login', outcome: 'denied' }));
  metrics.observe(observed({ outcome: 'denied', code: 'identity_denied' }));
  metrics.alert('token_misuse');
  await using store = metrics.meter(openMemoryStore());
  await store.commit([]);
  assert.deepEqual([store.kind, await store.head()], ['memory', undefined]);
  const text = await metrics.text();
  for (const line of [
    'spike_nexus_request_duration_seconds_bucket{le="0.001",route="secret.get",outcome="ok"} 1',
    'spike_nexus_request_duration_seconds_bucket{le="0.0005",route="secret.get",outcome="ok"} 0',
    'spike_nexus_logins_total{outcome="denied"} 1',
    'spike_nexus_alerts_total{kind="token_misuse",severity="critical"} 1',
    'spike_nexus_commit_duration_seconds_count 1',
    'spike_nexus_audit_unsynced_records 3',
    'spike_nexus_alerts_open{severity="critical"} 4',
    'spike_nexus_store_bytes 4096',
    'spike_nexus_denials 2',
    'spike_nexus_denied_identity_requests_total 1',
  ])
    assert.ok(text.includes(`${line}\n`), line);
  assert.doesNotMatch(text, /spiffe:|tenants/);
  assert.doesNotMatch(text, /identity_expiry_timestamp_seconds \d/, 'what is not known is not told as 0');
});
