import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { CertificateAuthority, SpiffeError, TrustDomain, X509BundleSet } from '@spike/spiffe';
import { Stage } from './fault/stage.ts';
import { openLiar } from './liar.ts';
import { Parts } from './parts.ts';
import { until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');
const everyPath = [...Object.values(rolePaths), '/workload/app'];

const put = async (parts: Parts, at = path): Promise<void> => {
  await (await parts.callNexus()).putSecret({ path: at, values: toValueMap({ n: '1' }) });
};

/** Waits for an open alert of this kind. */
async function alertOf(parts: Parts, kind: string) {
  return await until(`there is an alert ${kind}`, async () => {
    const call = await parts.callNexus();
    const answer = await call.listAlerts({ all: false, limit: 1000 }).catch(() => undefined);
    return answer?.alerts.find((alert) => alert.kind === kind);
  });
}

test('Keepers that are gone raise keeper_quorum_low', async () => {
  await using parts = await Parts.bootstrapped();
  await parts.reachHolding(1, 2, 3);
  for (const id of [1, 2]) await parts.keeper(id).end('SIGKILL');
  const { severity, detail } = await alertOf(parts, 'keeper_quorum_low');
  assert.deepEqual([severity, detail], ['critical', { holding: 1, required: 2 }]);
});

test('a Keeper that lies about its share raises keeper_bad_share', async () => {
  await using parts = await Parts.bootstrapped();
  await parts.reachHolding(1, 2, 3);
  const truth = await (await parts.callKeeper(1)).fetchShare({});
  await parts.nexus.end('SIGKILL');
  await using liar = await openLiar(parts, truth, 'ab'.repeat(32));
  const [, second = '', third = ''] = parts.keeperUrls();
  await parts.startNexus({ SPIKE_NEXUS_KEEPER_PEERS: [liar.url, second, third].join(',') });
  await parts.nexus.reach('ready');
  assert.equal((await alertOf(parts, 'keeper_bad_share')).subject, '1');
});

test('recovery shares that are handed out raise recovery_shards_issued, and bringing them back root_restored', async () => {
  await using parts = await Parts.bootstrapped();
  const { shards } = await (await parts.callNexus(rolePaths.recover)).recover({});
  assert.match((await alertOf(parts, 'recovery_shards_issued')).subject, /role\/recover$/);
  await parts.nexus.end('SIGKILL');
  for (const id of [1, 2, 3]) await parts.keeper(id).end('SIGKILL');
  await parts.startNexus();
  const call = await parts.callNexus(rolePaths.restore);
  for (const id of [1, 2]) await call.restore({ id, shard: shards.get(id) ?? new Uint8Array() });
  await parts.nexus.reach('ready');
  await alertOf(parts, 'root_restored');
  const { entries } = await (await parts.callNexus()).listHistory({ limit: 10 });
  assert.ok(entries.some(({ kind }) => kind === 'restored'));
});

test('another bundle raises authority_changed', async () => {
  await using parts = await Parts.bootstrapped();
  const other = CertificateAuthority.create({ trustDomain: TrustDomain.parse('other.test') });
  parts.agent.say(parts.agent.issue(everyPath, { federated: X509BundleSet.of(other.bundle()) }));
  assert.equal((await alertOf(parts, 'authority_changed')).subject, 'other.test');
});

test('an identity that is withdrawn raises identity_withdrawn, which outlives the process that drops its memory', async () => {
  await using parts = await Parts.bootstrapped();
  const file = join(parts.home, 'alerts.jsonl');
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGTERM');
  await parts.startNexus({ SPIKE_NEXUS_ALERT_FILE: file });
  await parts.nexus.reach('ready');
  // Nobody else of these parts looks at the agent any more.
  parts.agent.say(new SpiffeError('permission_denied', 'the entry was taken away'));
  await until('the file has it at once', async () =>
    (await readFile(file, 'utf8').catch(() => '')).includes('identity_withdrawn'),
  );
  await until('it is locked or waits', async () => (await parts.nexus.state()) !== 'ready');
  parts.agent.say(parts.agent.issue(everyPath));
  await parts.nexus.reach('ready');
  const { count } = await alertOf(parts, 'identity_withdrawn');
  assert.equal(count, 1, 'both processes told of the same');
  const { entries } = await (await parts.callNexus()).listHistory({ limit: 10 });
  assert.deepEqual(entries.map(({ kind }) => kind).slice(0, 2), ['unlocked', 'withdrawn']);
});

test('an agent that is gone raises svid_expiring, at once', async () => {
  await using parts = await Parts.bootstrapped();
  const call = await parts.callNexus();
  await parts.agent.stop();
  const alert = await until('there is an alert', async () =>
    (await call.listAlerts({ all: false, limit: 10 })).alerts.find(({ kind }) => kind === 'svid_expiring'),
  );
  assert.match(alert.message, /the agent does not answer/);
  const { well, problems } = await call.status({ verify: false });
  assert.equal(well, false);
  assert.ok(problems.some((text) => text.includes('the agent does not answer')));
});

test('an audit that was cut off raises audit_chain_broken', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts);
  await parts.nexus.end('SIGTERM');
  const audit = join(parts.home, 'home', 'nexus', 'audit', `${'0'.repeat(20)}.jsonl`);
  await truncate(audit, (await readFile(audit, 'utf8')).indexOf('\n') + 1);
  await parts.startNexus();
  await parts.nexus.reach('ready');
  assert.match((await alertOf(parts, 'audit_chain_broken')).message, /^the audit is shorter than/);
  assert.equal((await (await parts.callNexus()).status({ verify: false })).well, false);
});

test('a place for alerts that takes none raises audit_sink_failing', async () => {
  await using parts = await Parts.open();
  const secretFile = join(parts.home, 'secret');
  await writeFile(secretFile, 'x'.repeat(32), { mode: 0o600 });
  await parts.startKeepers();
  await parts.startNexus({
    SPIKE_NEXUS_ALERT_WEBHOOK_URL: 'http://127.0.0.1:1/',
    SPIKE_NEXUS_ALERT_WEBHOOK_SECRET_FILE: secretFile,
  });
  await parts.bootstrap();
  await parts.nexus.reach('ready');
  await (await parts.callNexus(rolePaths.recover)).recover({});
  assert.equal((await alertOf(parts, 'audit_sink_failing')).subject, 'webhook');
  assert.equal((await (await parts.callNexus()).status({ verify: false })).well, false);
});

test('a record that was changed in the store raises store_integrity', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts);
  await parts.nexus.end('SIGTERM');
  const database = new DatabaseSync(join(parts.home, 'home', 'nexus', 'data', 'store.sqlite'));
  database.exec('UPDATE secret_version SET nonce = zeroblob(24)');
  database.close();
  await parts.startNexus();
  await parts.nexus.reach('ready');
  const call = await parts.callNexus();
  await assert.rejects(call.getSecret({ path, version: 0 }), { code: 'store_integrity' });
  assert.equal((await alertOf(parts, 'store_integrity')).subject, 'request');
  const { verify, well } = await call.status({ verify: true });
  assert.deepEqual([verify?.ok, well], [false, false]);
});

test('a policy that lets through more raises policy_widened, and one that lets through less does not', async () => {
  await using parts = await Parts.bootstrapped();
  const call = await parts.callNexus();
  const policy = {
    name: 'app',
    spiffeidPattern: 'spiffe://parts.test/workload/.*',
    pathPattern: 'tenants/acme/.*',
    permissions: ['read', 'write'],
  };
  await call.putPolicy(policy);
  const { id, detail } = await alertOf(parts, 'policy_widened');
  assert.match(String(detail['by']), /superuser$/);
  await call.acknowledgeAlert({ id });
  await call.putPolicy({ ...policy, pathPattern: 'tenants/acme/db/.*', permissions: ['read'] });
  await call.deletePolicy({ id: 'app' });
  assert.deepEqual((await call.listAlerts({ all: false, limit: 10 })).alerts, []);
});

test('a workload that reads what it never read raises unusual_access after the time of learning', async () => {
  await using parts = await Parts.bootstrapped();
  await parts.nexus.end('SIGTERM');
  await parts.startNexus({ SPIKE_NEXUS_ACCESS_LEARNING: '1ms' });
  await parts.nexus.reach('ready');
  const call = await parts.callNexus();
  const other = SecretPath.parse('tenants/acme/payroll');
  for (const one of [path, other]) await put(parts, one);
  await call.putPolicy({
    name: 'app',
    spiffeidPattern: 'spiffe://parts.test/workload/app',
    pathPattern: 'tenants/.*',
    permissions: ['read'],
  });
  const workload = await parts.callNexus('/workload/app');
  for (let n = 0; n < 5; n++) await workload.getSecret({ path, version: 0 });
  await workload.getSecret({ path: other, version: 0 });
  const { subject, detail } = await alertOf(parts, 'unusual_access');
  assert.deepEqual([subject, detail['path']], ['spiffe://parts.test/workload/app', other.text]);
});

test('a clock that is put on by an hour raises clock_step', async () => {
  await using stage = await Stage.open();
  await using system = await stage.start();
  const env = stage.env();
  stage.control.clockMs = 3_600_000;
  await until('it is told of', async () => {
    const { stdout } = await system.spike(['alert', 'list', '-f', 'json'], { env });
    return /"kind": "clock_step"/.test(stdout);
  });
});
