import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hour, minute } from '../admin/testing/stage.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { BreakglassStage, delayMs, eve, reason, superAdmin } from './testing/stage.ts';

const signal = AbortSignal.timeout(120_000);
const bob = { name: 'bob', role: 'super_admin' } as const;
const conflict = hasCode('entity_version_conflict');

test('a break-glass that another administrator approves gives access at once, and closes by itself', async () => {
  await using stage = await BreakglassStage.open();
  const asked = await stage.ask();
  assert.deepEqual([asked.state, asked.administrator, asked.reason], ['waiting', 'eve', reason]);
  assert.equal(stage.access.authenticate(stage.token).emergency, false);
  const { state, approvedBy, expiresAt } = await stage.approve(asked.id);
  assert.deepEqual([state, approvedBy, expiresAt], ['open', 'admin', stage.access.at.wall + hour]);
  const administration = stage.access.authenticate(stage.token);
  assert.equal(administration.emergency, true);
  for (let quarter = 0; quarter < 5; quarter++) {
    stage.access.pass(10 * minute);
    assert.equal(stage.access.authenticate(stage.token).emergency, true);
  }
  stage.access.pass(10 * minute - 1);
  assert.equal(stage.hasAccess(), true);
  stage.access.pass(1);
  assert.equal(stage.hasAccess(), false);
  assert.throws(() => stage.access.layer.port.assertStill(administration), hasCode('session_required'));
  assert.equal((await stage.breakglass.list(superAdmin))[0]?.state, 'over');
  assert.deepEqual(
    stage.alerts.map(({ kind, subject }) => [kind, subject]),
    [
      ['breakglass_opened', 'eve'],
      ['breakglass_opened', 'eve'],
    ],
  );
});

test('without an approval it opens after the delay, unless a super_admin cancels it in time', async () => {
  await using stage = await BreakglassStage.open();
  const { id, effectiveAt } = await stage.ask();
  assert.equal(effectiveAt, stage.access.at.wall + delayMs);
  stage.access.pass(delayMs - 1);
  assert.equal(stage.hasAccess(), false);
  stage.access.pass(1);
  assert.equal(stage.hasAccess(), true);
  await assert.rejects(stage.approve(id), conflict);
  await Promise.all([stage.breakglass.look(), stage.breakglass.look()]);
  assert.equal(stage.alerts.length, 2, 'once when it is asked for, once when it opens');
  stage.access.pass(hour);
  assert.equal(stage.hasAccess(), false);

  const next = await stage.ask();
  stage.access.pass(delayMs - 1);
  const { state, ended } = await stage.cancel(next.id);
  assert.deepEqual([state, ended?.by], ['cancelled', 'admin']);
  stage.access.pass(hour);
  assert.equal(stage.hasAccess(), false);
  await assert.rejects(stage.cancel(next.id), conflict);
  await assert.rejects(stage.approve(next.id), conflict);
});

test('what time alone does is recorded once, over restarts and while nobody looks', async () => {
  await using first = await BreakglassStage.open();
  const begin = first.access.at.wall;
  const toTime = (ms: number): string => new Date(ms).toISOString();
  const { id } = await first.ask();
  await first.breakglass.look();
  assert.deepEqual(first.lines.notes, [], 'the request that asked has a record of its own');
  first.access.pass(delayMs + 5_000);
  await first.breakglass.look();
  const opened = {
    sequence: 0,
    action: 'breakglass.opened',
    subject: 'eve',
    id,
    openedAt: toTime(begin + delayMs),
  };
  assert.deepEqual(first.lines.notes, [opened]);
  const second = await first.restart();
  await second.breakglass.look();
  assert.equal(second.lines.notes.length, 1);
  assert.equal(second.alerts.length, 2, 'a restart opens nothing anew');
  second.access.pass(hour);
  await second.breakglass.look();
  await second.breakglass.look();
  assert.deepEqual(second.lines.notes.slice(1), [
    {
      sequence: 1,
      action: 'breakglass.expired',
      subject: 'eve',
      id,
      expiredAt: toTime(begin + delayMs + hour),
    },
  ]);
  assert.deepEqual(second.history, ['breakglass_opened', 'breakglass_closed']);
  // Nexus is stopped while one opens and ends.
  await second.ask();
  await using third = await second.restart();
  third.access.pass(delayMs + 2 * hour);
  await third.breakglass.look();
  const actions = (): readonly unknown[] => third.lines.notes.slice(2).map(({ action }) => action);
  assert.deepEqual(actions(), ['breakglass.opened', 'breakglass.expired']);
  assert.equal(third.alerts.length, 4);
});

test('what a request did is not recorded again, and what came before it is', async () => {
  await using stage = await BreakglassStage.open();
  const actions = (): readonly unknown[] => stage.lines.notes.map(({ action }) => action);
  const approved = await stage.ask();
  await stage.approve(approved.id);
  await stage.close();
  const cancelled = await stage.ask();
  await stage.cancel(cancelled.id);
  stage.access.pass(delayMs + hour);
  await stage.breakglass.look();
  assert.deepEqual(actions(), []);
  // It opens by itself and is closed before anybody looks.
  await stage.ask();
  stage.access.pass(delayMs);
  await stage.close();
  stage.access.pass(2 * hour);
  await stage.breakglass.look();
  assert.deepEqual(actions(), ['breakglass.opened']);
  const expiring = await stage.ask();
  await stage.approve(expiring.id);
  stage.access.pass(hour);
  await stage.breakglass.look();
  assert.deepEqual(actions(), ['breakglass.opened', 'breakglass.expired']);
});

test('a store that fails leaves the record for the next look', async () => {
  await using stage = await BreakglassStage.open();
  await stage.ask();
  stage.access.pass(delayMs);
  stage.access.store.faults.push('before');
  await assert.rejects(stage.breakglass.look(), hasCode('store_failed'));
  assert.equal(stage.hasAccess(), true);
  assert.deepEqual(stage.lines.notes, []);
  assert.equal(stage.alerts.length, 2, 'people are told all the same');
  await stage.breakglass.look();
  assert.equal(stage.lines.notes.length, 1);
});

test('an open one is ended by the one who opened it, and by a super_admin', async () => {
  await using stage = await BreakglassStage.open();
  await assert.rejects(stage.close(), hasCode('api_not_found'));
  const first = await stage.ask();
  await stage.approve(first.id);
  await assert.rejects(stage.ask(), conflict, 'one at a time');
  assert.equal((await stage.close()).state, 'closed');
  assert.equal(stage.hasAccess(), false);
  const second = await stage.ask();
  await stage.approve(second.id);
  await stage.cancel(second.id);
  assert.equal(stage.hasAccess(), false);
  const third = await stage.ask();
  assert.equal((await stage.close()).state, 'closed', 'what waits is taken back in the same way');
  await assert.rejects(stage.approve(third.id), conflict);
});

test('nobody approves his own, nor does an account that he made or reset within 7 days', async () => {
  await using stage = await BreakglassStage.open();
  const { administrators } = stage.access.layer;
  const asked = stage.access.asked();
  await stage.create('bob', 'super_admin');
  // Somebody was a super_admin before, and prepared himself a second person.
  await administrators.setRole(superAdmin, 'eve', { role: 'super_admin', tenant: undefined }, asked);
  const before = { ...eve, role: 'super_admin', tenant: undefined } as const;
  // With the wall clock a year back for a moment, the account looks no older to the rule.
  const year = 365 * 24 * hour;
  stage.access.at.wall -= year;
  await stage.create('puppet', 'super_admin', before);
  await administrators.resetPassword(before, 'bob', asked);
  stage.access.at.wall += year;
  await administrators.setRole(superAdmin, 'eve', { role: 'emergency_admin', tenant: undefined }, asked);
  const { id } = await stage.ask();
  await assert.rejects(stage.approve(id, eve), conflict);
  await assert.rejects(stage.approve(id, { name: 'puppet', role: 'super_admin' }), /made your account/);
  await assert.rejects(stage.approve(id, bob), /reset your password/);
  assert.equal(stage.hasAccess(), false);
  await stage.cancel(id);
  stage.access.pass(7 * 24 * hour - 1);
  const late = await stage.ask();
  await assert.rejects(stage.approve(late.id, bob), conflict);
  // A wall clock that is set makes no account older.
  stage.access.at.wall += 30 * 24 * hour;
  await assert.rejects(stage.approve(late.id, bob), conflict);
  stage.access.at.wall -= 30 * 24 * hour;
  stage.access.pass(1);
  assert.equal((await stage.approve(late.id, bob)).state, 'open');
});

test('one who is disabled or has another role has no access by it, and none is approved for him', async () => {
  await using stage = await BreakglassStage.open();
  const { administrators } = stage.access.layer;
  const asked = stage.access.asked();
  const { id } = await stage.ask();
  await administrators.setEnabled(superAdmin, 'eve', false, asked);
  await assert.rejects(stage.approve(id), conflict);
  await administrators.setEnabled(superAdmin, 'eve', true, asked);
  await stage.approve(id);
  assert.equal(stage.hasAccess(), true);
  await administrators.setRole(superAdmin, 'eve', { role: 'auditor', tenant: undefined }, asked);
  assert.equal(stage.hasAccess(), false);
});

test('a restart keeps what was asked for and approved, and the session is gone', async () => {
  await using first = await BreakglassStage.open();
  const waiting = await first.ask(2 * hour);
  const second = await first.restart();
  assert.equal((await second.breakglass.list(superAdmin))[0]?.state, 'waiting');
  await second.approve(waiting.id);
  await using third = await second.restart();
  assert.equal(third.hasAccess(), true);
  assert.throws(() => third.access.authenticate(third.token), hasCode('session_required'));
  third.access.pass(2 * hour);
  assert.equal(third.hasAccess(), false);
});

test('a wall clock that is set neither opens one nor lets one last', async () => {
  await using stage = await BreakglassStage.open();
  const { id } = await stage.ask();
  stage.access.at.wall += 365 * 24 * hour;
  assert.equal(stage.hasAccess(), false);
  await stage.approve(id);
  stage.access.at.wall -= 730 * 24 * hour;
  stage.access.at.ticks += hour;
  assert.equal(stage.hasAccess(), false);
});

test('an emergency_admin sees his own, others all, and old ones are forgotten', async () => {
  await using stage = await BreakglassStage.open();
  await stage.create('ed', 'emergency_admin');
  const ed = { name: 'ed', role: 'emergency_admin' } as const;
  const first = await stage.ask();
  stage.access.pass(1);
  const second = await stage.ask(hour, ed);
  const ids = async (actor: typeof eve): Promise<readonly string[]> =>
    (await stage.breakglass.list(actor)).map(({ id }) => id);
  assert.deepEqual(await ids(superAdmin), [second.id, first.id]);
  assert.deepEqual(await ids(ed), [second.id]);
  await assert.rejects(
    stage.breakglass.report(ed, { id: first.id, from: undefined }, signal),
    hasCode('api_not_found'),
  );
  await stage.close();
  for (let count = 0; count < 105; count++) {
    stage.access.pass(1);
    await stage.ask();
    await stage.close();
  }
  const all = await stage.breakglass.list(superAdmin);
  assert.equal(all.length, 101, 'a hundred that are over, and the one that waits');
  assert.ok(!all.some(({ id }) => id === first.id));
});

test('an approval whose session has ended meanwhile opens nothing', async () => {
  await using stage = await BreakglassStage.open();
  const { id } = await stage.ask();
  const asked = stage.access.asked({
    check: () => {
      throw new Error('the session was ended');
    },
  });
  await assert.rejects(stage.breakglass.approve(superAdmin, id, asked), /session was ended/);
  assert.equal(stage.hasAccess(), false);
  assert.equal((await stage.approve(id)).state, 'open');
});

test('a report holds what he did from the asking on, until it was over, and nothing of others', async () => {
  await using stage = await BreakglassStage.open();
  const { lines, access } = stage;
  lines.add('eve', 'before', access.at.wall);
  const { id } = await stage.ask();
  lines.add('eve', 'breakglass.open', access.at.wall);
  lines.add('admin', 'breakglass.approve', access.at.wall);
  await stage.approve(id);
  access.pass(minute);
  for (let count = 0; count < 1_500; count++) lines.add('eve', 'secret.get', access.at.wall);
  lines.add('evelyn', 'secret.get', access.at.wall);
  lines.push({ action: 'quoted', administrator: 'admin', detail: { administrator: 'eve' } });
  lines.push({ action: 'quoted', detail: '"administrator":"eve"' });
  access.pass(hour);
  lines.add('eve', 'after', access.at.wall);
  const read = async (from?: number) =>
    await stage.breakglass.report(superAdmin, { id: undefined, from }, signal);
  const first = await read();
  const second = await read(first.next);
  assert.deepEqual([first.lines.length, second.next, first.breakglass.id], [1_000, undefined, id]);
  const actions = [...first.lines, ...second.lines].map(
    (line) => (JSON.parse(line) as { action: string }).action,
  );
  assert.equal(actions.length, 1_501);
  assert.deepEqual([...new Set(actions)], ['breakglass.open', 'secret.get']);
});
