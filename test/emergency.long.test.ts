import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readShareFiles } from '@spike/recovery';
import { initialize, newPassword, startGuarded } from './admin.ts';
import { readAudit } from './audit.ts';
import { openCaller } from './caller.ts';
import { answerOf, approvalOf, parse, settle } from './emergency.ts';
import { System, type Outcome } from './system.ts';
import { runInTerminal } from './terminal.ts';

let system: System;
let password = '';

before(async () => {
  system = await startGuarded({ args: ['--verbose'] });
  await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', rolePaths.recover]);
  await system.mustSpike(['operator', 'recover']);
  password = await initialize(system);
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'user=app']);
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

test('what waits is seen by holders and by who may approve, and by no other superuser', async () => {
  const asked = await system.spike(['operator', 'reset-password', '--user', 'admin']);
  const id = approvalOf(asked.stderr);
  assert.ok((await system.mustSpike(['approve', 'list'])).includes(id));
  const { approvals } = await (async () => {
    await using administrator = await openCaller(system, rolePaths.recover);
    return await administrator.call.listApprovals({});
  })();
  assert.deepEqual(
    approvals.map(({ target }) => target),
    ['admin'],
  );
  await using superuser = await openCaller(system);
  await assert.rejects(superuser.call.listApprovals({}), { code: 'session_required' });
  await assert.rejects(superuser.call.recoverPassword({ user: 'admin' }), { code: 'access_unauthorized' });
});

test('in a terminal a holder sees what is asked, and types a share that is not shown, or nothing', async () => {
  const asked = await system.spike(['operator', 'reset-password', '--user', 'admin']);
  const id = approvalOf(asked.stderr);
  const [share] = await readShareFiles(join(system.home.root, 'recover'));
  assert(share !== undefined);
  const hex = Buffer.from(share.value).toString('hex');
  const leave = [[/to leave it\): /, '']] as const;
  const no = await runInTerminal(system, ['approve', id], leave);
  assert.equal(no.code, 2, no.text);
  assert.match(no.text, /nothing was approved/);
  const file = join(system.home.root, 'recover', 'spike.recovery.2.txt');
  const fromFile = ['approve', id, '--share-file', file];
  const unsure = await runInTerminal(system, fromFile, [[/Do you approve this\? \(y\/N\): /, 'n']]);
  assert.equal(unsure.code, 2, unsure.text);
  const yes = await runInTerminal(
    system,
    ['approve', id],
    [[/reset-password of admin[^]*asked by[^]*to leave it\): /, `spike:${share.id}:${hex}`]],
  );
  assert.equal(yes.code, 0, yes.text);
  assert.match(yes.text, /1 more share has to answer/);
  assert.ok(!yes.text.includes(hex));
});

test('break-glass: nothing before another administrator approves, everything but power over others in it', async () => {
  const env = await settle(system, 'carol', 'emergency_admin', newPassword());
  const get = (): Promise<Outcome> => system.spike(['secret', 'get', 'tenants/acme/db'], { env });
  const seesDetails = async (): Promise<boolean> => {
    const { stdout } = await system.spike(['status', '-f', 'json'], { env });
    return parse<{ nexus: { detailed: boolean } }>(stdout).nexus.detailed;
  };
  assert.equal((await get()).code, 4);
  assert.equal(
    (await system.spike(['breakglass', 'open', '--reason', 'mine'])).code,
    4,
    'a super_admin needs none',
  );
  const open = ['breakglass', 'open', '--reason', 'the database is down', '--ttl', '30m', '-f', 'json'];
  const { id, state } = parse<{ id: string; state: string }>(await system.mustSpike(open, { env }));
  assert.equal(state, 'waiting');
  assert.equal((await get()).code, 4);
  assert.equal((await system.spike(['breakglass', 'approve', id], { env })).code, 4);
  assert.equal(await seesDetails(), false, 'no more than a health check needs');
  await system.mustSpike(['breakglass', 'approve', id]);
  assert.equal(await seesDetails(), true, 'whoever mends a system sees how it is');
  assert.match((await get()).stdout, /user: app/);
  for (const args of [
    ['audit', 'tail'],
    ['admin', 'create', 'mallory', '--role', 'auditor'],
    ['token', 'revoke', '--all'],
    ['breakglass', 'approve', id],
    ['approve', 'recover', '--for', `spiffe://${(await system.context()).trustDomain}${rolePaths.recover}`],
  ])
    assert.equal((await system.spike(args, { env })).code, 4, args.join(' '));
  await system.mustSpike(['breakglass', 'close'], { env });
  assert.equal((await get()).code, 4);
  const { breakglass, records } = parse<{
    breakglass: { state: string; endedBy: string };
    records: readonly { action: string; outcome: string; administrator: string }[];
  }>(await system.mustSpike(['breakglass', 'report', '-f', 'json']));
  assert.deepEqual([breakglass.state, breakglass.endedBy], ['closed', 'carol']);
  assert.ok(records.every(({ administrator }) => administrator === 'carol'));
  const told = records.map(({ action, outcome }) => `${action} ${outcome}`);
  for (const line of ['breakglass.open ok', 'secret.get denied', 'secret.get ok', 'breakglass.close ok'])
    assert.ok(told.includes(line), `${line} in ${told.join(', ')}`);
  assert.match(await system.mustSpike(['breakglass', 'list']), /carol {2}closed: the database is down/);
});

test('a restart ends approvals and keeps a break-glass that waits', async () => {
  const env = await settle(system, 'dave', 'emergency_admin', newPassword());
  const { id } = parse<{ id: string }>(
    await system.mustSpike(['breakglass', 'open', '--reason', 'again', '-f', 'json'], { env }),
  );
  assert.equal((await system.spike(['operator', 'reset-password', '--user', 'admin'])).code, 11);
  const [pid] = await system.pidsOf('nexus');
  assert(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  await system.ready();
  await system.mustSpike(['login', '--password-stdin'], { input: password });
  const { approvals } = parse<{ approvals: readonly unknown[] }>(
    await system.mustSpike(['approve', 'list', '-f', 'json']),
  );
  assert.deepEqual(approvals, []);
  await system.mustSpike(['breakglass', 'cancel', id]);
});

test('all of it is in the audit and among the alerts, and nothing that is secret', async () => {
  const shares = await readShareFiles(join(system.home.root, 'recover'));
  const texts = shares.map(({ value }) => Buffer.from(value).toString('hex'));
  for (const [index, text] of [texts[0], texts[0], texts[2]].entries()) {
    const asked = await system.spike(['operator', 'reset-password', '--user', 'carol']);
    const input = `spike:${index + 1}:${text ?? ''}`;
    assert.equal(
      (await system.spike(['approve', approvalOf(asked.stderr)], { input })).code,
      index === 1 ? 1 : 0,
    );
  }
  await system.mustSpike(['operator', 'reset-password', '--user', 'carol']);
  const spiffeId = `spiffe://${(await system.context()).trustDomain}${rolePaths.recover}`;
  await system.mustSpike(['approve', 'recover', '--for', spiffeId]);
  await system.mustSpike(['operator', 'recover']);
  const { alerts } = parse<{ alerts: readonly { kind: string }[] }>(
    await system.mustSpike(['alert', 'list', '-f', 'json']),
  );
  const kinds = new Set(alerts.map(({ kind }) => kind));
  for (const kind of ['recovery_shards_issued', 'password_reset', 'breakglass_opened', 'keeper_bad_share'])
    assert.ok(kinds.has(kind), `${kind} in ${[...kinds].join(', ')}`);
  await system.stop();
  const lines = await readAudit(system.home);
  const told = new Set(lines.map(({ action, outcome }) => `${action} ${outcome}`));
  for (const line of [
    'operator.recover ok',
    'approval.recover ok',
    'approval.recover denied',
    'operator.password failed',
    'operator.password ok',
    'approval.answer failed',
    'approval.answer ok',
    'breakglass.approve denied',
    'breakglass.approve ok',
    'breakglass.cancel ok',
  ])
    assert.ok(told.has(line), line);
  const all = JSON.stringify(lines) + system.output;
  for (const text of texts) assert.ok(!all.includes(text));
});

test('a factory reset with a backup waits for the holders too, where one layer is all there is', async () => {
  await using single = await System.start();
  await using superuser = await openCaller(single);
  await using holder = await openCaller(single, rolePaths.recover);
  const { instance = '' } = await superuser.call.status({ verify: false });
  const backup = { path: '/backup', size: 1, sha256: '0'.repeat(64), createdAt: '2026-05-01T00:00:00Z' };
  const print = async (): Promise<string> => {
    try {
      return (await superuser.call.printReset({ instance, backup })).script;
    } catch (error) {
      assert(error instanceof SpikeError && error.code === 'approval_required', String(error));
      return approvalOf(error.message);
    }
  };
  const id = await print();
  assert.match(id, /^reset-[a-z2-7]{16}$/);
  for (const share of (await readShareFiles(single.home.recovery)).slice(1)) {
    assert.equal(await print(), id);
    await holder.call.answerApproval({ id, share: share.id, answer: await answerOf(holder, id, share) });
  }
  assert.match(await print(), /^#!\/bin\/sh/);
  assert.notEqual(await print(), id, 'it worked once');
  // The SVID alone is enough for the shares, as it is for everything.
  assert.equal((await holder.call.recover({})).shards.size, 3);
});
