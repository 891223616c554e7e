import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SecretPath, toValueMap } from '@spike/contract';
import { SpiffeError } from '@spike/spiffe';
import { everybody, giveBack, identityLines, startOf, withdraw } from './lock.ts';
import { Parts } from './parts.ts';
import { until } from './system.ts';

/* The state table of doc/reference/lock.md, on whole parts. */

const path = SecretPath.parse('lock/secret');

test('a withdrawal is in the audit once, with a checkpoint, and the same process serves again without a person', async () => {
  await using parts = await Parts.bootstrapped();
  const { pid } = parts.nexus;
  const call = await parts.callNexus();
  await call.putSecret({ path, values: toValueMap({ n: '1' }) });
  const before = await startOf(parts);
  const at = Date.now();
  await withdraw(parts);
  await giveBack(parts);
  assert.notEqual(await startOf(parts), before, 'it is another image');
  assert.equal(parts.nexus.pid, pid);
  assert.ok(parts.nexus.running);
  const [line, back, ...more] = await identityLines(parts);
  assert.deepEqual([back?.action, back?.reason, more], ['identity.returned', 'absent', []]);
  assert.equal(line?.reason, 'absent');
  const time = Date.parse(line.time.replace(/000Z$/, 'Z'));
  assert.ok(time >= at && time <= Date.now(), line.time);
  assert.deepEqual({ ...(await call.getSecret({ path, version: 0 })).data }, { n: '1' });
});

test('a record that could not be written before the process went is made up with its own time', async () => {
  await using parts = await Parts.bootstrapped();
  await parts.nexus.end('SIGKILL');
  const at = Date.parse('2026-01-02T03:04:05.678Z');
  const spool = join(parts.home, 'home', 'nexus', 'spool.jsonl');
  await appendFile(spool, `${JSON.stringify({ type: 'audit', kind: 'permission_denied', at })}\n`);
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await parts.nexus.end('SIGTERM');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  const all = await identityLines(parts);
  const back = all.filter(({ action }) => action === 'identity.returned');
  assert.deepEqual(
    back.map(({ reason }) => reason),
    ['permission_denied'],
  );
  const withdrawn = all.filter(({ action }) => action === 'identity.withdrawn');
  const lines = withdrawn.map(({ action, time, reason, written }) => [action, time, reason, written]);
  assert.deepEqual(lines, [
    ['identity.withdrawn', '2026-01-02T03:04:05.678000Z', 'permission_denied', 'on return'],
  ]);
});

test('a refusal that the agent takes back at once costs a moment, and neither keys nor process', async () => {
  await using parts = await Parts.bootstrapped();
  const call = await parts.callNexus();
  await call.putSecret({ path, values: toValueMap({ n: '1' }) });
  // On a machine that is busy the half second may be over before Nexus has asked again.
  for (let round = 1, before = await startOf(parts); ; round++) {
    const earlier = (await identityLines(parts)).length;
    parts.agent.interrupt(new SpiffeError('permission_denied', 'no identity issued'));
    await until('it is noticed', async () => (await identityLines(parts)).length > earlier);
    await until(
      'it serves',
      async () => (await call.getSecret({ path, version: 0 }).catch(() => undefined)) !== undefined,
    );
    const after = await startOf(parts);
    if (after === before) break;
    before = after;
    assert.ok(round < 10, 'it was never taken for a mistake');
  }
  const last = await until('the audit tells of its return', async () =>
    (await identityLines(parts)).find(
      ({ action, keys }) => action === 'identity.returned' && keys === 'kept',
    ),
  );
  assert.equal(last.reason, 'permission_denied');
});

test('an agent that stays away for longer than the grace is like a withdrawal, and an alert says until when', async () => {
  await using parts = await Parts.bootstrapped({ SPIKE_NEXUS_AGENT_GRACE: '3s' });
  const call = await parts.callNexus();
  const before = await startOf(parts);
  const at = Date.now();
  await parts.agent.stop();
  const alert = await until('there is an alert', async () =>
    (await call.listAlerts({ all: false, limit: 10 })).alerts.find(({ kind }) => kind === 'svid_expiring'),
  );
  const servesUntil = Date.parse(String(alert.detail['until']));
  assert.ok(servesUntil >= at + 3_000 && servesUntil <= Date.now() + 3_000, String(alert.detail['until']));
  await until('Nexus waits', async () => (await parts.nexus.state()) === 'starting');
  assert.ok(Date.now() >= servesUntil, 'not before');
  await assert.rejects(call.status({ verify: false }));
  await parts.agent.start();
  await parts.nexus.reach('ready');
  assert.notEqual(await startOf(parts), before);
  assert.deepEqual(
    (await identityLines(parts)).map(({ reason }) => reason),
    ['grace_over', 'grace_over'],
  );
});

test('an agent that is back before the grace is over costs nothing', async () => {
  await using parts = await Parts.bootstrapped({ SPIKE_NEXUS_AGENT_GRACE: '1h' });
  const before = await startOf(parts);
  const call = await parts.callNexus();
  await parts.agent.stop();
  await until('it has noticed', async () => {
    const { alerts } = await call.listAlerts({ all: false, limit: 10 });
    return alerts.some(({ kind }) => kind === 'svid_expiring');
  });
  await parts.agent.start();
  await until('it is held again', async () => {
    const { identity } = await call.status({ verify: false });
    return identity?.state === 'held';
  });
  assert.equal(await startOf(parts), before);
  assert.deepEqual(await identityLines(parts), []);
});

test('an SVID that ends under an agent which answers and does not renew it is forgotten with all keys', async () => {
  await using parts = await Parts.bootstrapped();
  const before = await startOf(parts);
  parts.agent.say(parts.agent.issue(everybody, { lifetimeMs: 3_000 }));
  await until('Nexus waits', async () => (await parts.nexus.state()) === 'starting');
  await giveBack(parts);
  assert.notEqual(await startOf(parts), before);
  assert.deepEqual(
    (await identityLines(parts)).map(({ reason }) => reason),
    ['expired', 'expired'],
  );
});
