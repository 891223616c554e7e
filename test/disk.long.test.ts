import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretPath } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import { readAudit } from './audit.ts';
import { lastingProblems, openCaller, type RoleClient } from './caller.ts';
import { fileClass } from './fault/control.ts';
import { Stage } from './fault/stage.ts';
import { until, type System } from './system.ts';

const { store, wal, log, audit, anchor } = fileClass;
const path = SecretPath.parse('fault/disk');
const reads = 200;
/** More than what the journal of the store has blocks for already. */
const mostPuts = 400;
/** Room for about a thousand records. */
const reserveBytes = 512 * 1024;
const mostRecords = 2_000;
const largeValue = 'x'.repeat(60_000);

test('on a full store disk reads go on, writes fail and leave nothing, and it comes back without a restart', async () => {
  await using stage = await Stage.open();
  await using system = await stage.start();
  await using superuser = await openCaller(system);
  const { call } = superuser;
  // A machine that is busy may be slow to shake hands; from here on every answer counts.
  await until('it answers', () => call.status({ verify: false }).catch(() => undefined));
  const pid = await onlyPid(system);
  let { version: last = 0 } = await call.putSecret({ path, values: { value: 'first' } });

  stage.control.full = store + wal + anchor;
  let refused: string | undefined;
  for (let count = 0; count < mostPuts && refused === undefined; count++) {
    try {
      ({ version: last = 0 } = await call.putSecret({
        path,
        values: { value: largeValue, count: `${last}` },
      }));
    } catch (error) {
      refused = toSpikeError(error).code;
    }
  }
  assert.equal(refused, 'store_failed');
  for (let count = 0; count < reads; count++) {
    assert.equal(
      (await call.getSecret({ path, version: 0 })).version,
      last,
      'the last that was acknowledged',
    );
    if (count % 20 !== 0) continue;
    await assert.rejects(call.putSecret({ path, values: { value: largeValue } }), { code: 'store_failed' });
    await assert.rejects(call.putPolicy(policy), { code: 'store_failed' });
    await assert.rejects(call.getPolicy({ id: policy.name }), { code: 'api_not_found' });
  }

  stage.control.full = 0;
  const { version } = await call.putSecret({ path, values: { value: 'after' } });
  assert.equal(version, last + 1);
  await call.putPolicy(policy);
  await assertWell(superuser);
  assert.equal(await onlyPid(system), pid, 'no restart');
  await system.stop();
  await assertRecorded(system, 'secret.put', last + 1);
});

test('on a full audit disk changes are refused before they are made, reads are recorded while the reserve lasts, and it comes back', async () => {
  await using stage = await Stage.open({ env: { SPIKE_NEXUS_AUDIT_RESERVE: String(reserveBytes) } });
  await using system = await stage.start();
  await using superuser = await openCaller(system);
  const { call } = superuser;
  // A machine that is busy may be slow to shake hands; from here on every answer counts.
  await until('it answers', () => call.status({ verify: false }).catch(() => undefined));
  const pid = await onlyPid(system);
  stage.control.full = log + audit;
  let last = 0;
  const refused = await failureOf(async () => {
    const { version } = await call.putSecret({ path, values: { value: `${last}` } });
    assert.equal(version, last + 1);
    last += 1;
  });
  assert.equal(refused, 'audit_unavailable', 'the rest of the reserve is for reads');
  for (let count = 0; count < reads; count++) {
    assert.equal((await call.getSecret({ path, version: 0 })).version, last, 'nothing was changed');
    if (count % 20 !== 0) continue;
    await assert.rejects(call.putSecret({ path, values: { value: 'lost' } }), { code: 'audit_unavailable' });
    await assert.rejects(call.putPolicy(policy), { code: 'audit_unavailable' });
  }
  const { problems } = await call.status({ verify: false });
  assert(problems.some((text) => text.includes('no room')));
  // What can't be recorded is not answered.
  assert.equal(await failureOf(() => call.getSecret({ path, version: 0 })), 'audit_unavailable');

  stage.control.full = 0;
  assert.equal((await call.getSecret({ path, version: 0 })).version, last, 'nothing was changed');
  assert.equal((await call.putSecret({ path, values: { value: 'after' } })).version, last + 1);
  await assertWell(superuser);
  assert.equal(await onlyPid(system), pid, 'no restart');
  await system.stop();
  await assertRecorded(system, 'secret.put', last + 1);
});

test('a checkpoint that finds no room shows in the status and in an alert, and is over when there is room again', async () => {
  await using stage = await Stage.open();
  await using system = await stage.start();
  await using superuser = await openCaller(system);
  const { call } = superuser;
  await until('it answers', () => call.status({ verify: false }).catch(() => undefined));
  const problem = async (): Promise<string | undefined> =>
    (await call.status({ verify: false })).problems.find((text) => text.includes('no checkpoint'));
  assert.equal(await problem(), undefined);
  // The lines find room; the checkpoint, which is another file, does not.
  stage.control.full = audit;
  await call.putPolicy(policy);
  assert.match((await until('the status says so', problem)) ?? '', /no checkpoint .* \(ENOSPC\)/);
  const shown = await system.spike(['status']);
  assert.equal(shown.code, 1, shown.stdout);
  assert.match(shown.stdout, /no checkpoint of the audit could be made/);
  const raised = await until('an alert says so', async () => {
    const { alerts } = await call.listAlerts({ all: false, limit: 100 });
    return alerts.find(({ kind, subject }) => kind === 'audit_sink_failing' && subject === 'audit');
  });
  assert.match(raised.message, /no checkpoint/);
  const asked = await system.spike(['audit', 'checkpoint']);
  assert.match(asked.stderr, /audit_unavailable/);
  assert.equal((await call.putSecret({ path, values: { value: 'meanwhile' } })).version, 1, 'it serves');

  stage.control.full = 0;
  await system.mustSpike(['audit', 'checkpoint']);
  assert.equal(await problem(), undefined);
  assert.deepEqual(await lastingProblems(superuser), []);
});

/** Does something until it fails; answers the code. */
async function failureOf(act: () => Promise<unknown>): Promise<string> {
  for (let count = 0; count < mostRecords; count++) {
    try {
      await act();
    } catch (error) {
      return toSpikeError(error).code;
    }
  }
  return 'none';
}

const policy = {
  name: 'disk',
  spiffeidPattern: '^spiffe://spike\\.ist/workload/disk$',
  pathPattern: 'fault/.*',
  permissions: ['read' as const],
};

async function onlyPid(system: System): Promise<number> {
  const [pid, ...others] = await system.pidsOf('nexus');
  assert(pid !== undefined && others.length === 0);
  return pid;
}

async function assertWell(superuser: RoleClient): Promise<void> {
  const { verify } = await superuser.call.status({ verify: true });
  assert.deepEqual(verify?.problems, []);
  assert.deepEqual(await lastingProblems(superuser), []);
}

/** Each change has its record, and nothing that was refused is told as done. */
async function assertRecorded(system: System, action: string, changes: number): Promise<void> {
  const lines = await readAudit(system.home);
  const done = lines.filter((line) => line.action === action && line.outcome === 'ok');
  assert.equal(done.length, changes);
  assert(lines.filter((line) => line.action === 'secret.get' && line.outcome === 'ok').length >= reads);
}
