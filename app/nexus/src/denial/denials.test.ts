import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SpiffeId } from '@spike/spiffe';
import { grantAll } from '../service/testing/grant.ts';
import { Rig, restoreTo } from '../backup/testing/rig.ts';
import { openMemoryStore } from '@spike/store';
import { hasCode } from '../vault/testing/instance.ts';
import { hold, put } from '../vault/testing/ledger.ts';
import { Denials } from './denials.ts';
import { denialKey, encodeDenial } from './record.ts';
import { DenialStage, startAt } from './testing/stage.ts';

const app = 'spiffe://spike.ist/app';
const below = 'spiffe://spike.ist/ci/*';
const job = 'spiffe://spike.ist/ci/job';
const minute = 60_000;
const day = 24 * 60 * minute;

test('an ID that is denied is denied alone, with its reason, until it is lifted; connections are counted and told of', async () => {
  await using stage = await DenialStage.open();
  stage.kept.connected.push(SpiffeId.parse(app), SpiffeId.parse(app), SpiffeId.parse(`${app}/1`));
  const { denial, cut } = await stage.put(app, {}, 'its key leaked');
  assert.equal(cut, 2);
  assert.deepEqual(denial, {
    spiffeId: app,
    reason: 'its key leaked',
    by: 'ann',
    since: startAt,
    until: undefined,
  });
  assert.deepEqual(
    [app, `${app}/1`, `${app}x`, 'spiffe://other.org/app'].map((one) => stage.denies(one)),
    [true, false, false, false],
  );
  assert.equal(stage.denials.count, 1);
  const { denial: lifted, coveredBy } = await stage.lift(app);
  assert.deepEqual([lifted.spiffeId, coveredBy, stage.denies(app)], [app, undefined, false]);
  await assert.rejects(stage.lift(app), hasCode('api_not_found'));
  assert.deepEqual(
    stage.kept.alerts.map(({ kind, subject, detail }) => [kind, subject, detail['by']]),
    [
      ['denial_changed', app, 'ann'],
      ['denial_changed', app, 'ben'],
    ],
  );
});

test('a prefix denies what is below it and not itself; what is lifted may be covered still', async () => {
  await using stage = await DenialStage.open();
  await stage.put(below);
  await stage.put(job);
  assert.deepEqual(
    ['spiffe://spike.ist/ci', job, `${job}/1`, 'spiffe://spike.ist/cis'].map((one) => stage.denies(one)),
    [false, true, true, false],
  );
  assert.equal((await stage.lift(job)).coveredBy, below);
  assert.ok(stage.denies(job));
  await stage.put(job);
  // The one ID covers nothing of what is below it.
  await stage.put(`${job}/*`);
  await stage.lift(below);
  assert.equal((await stage.lift(`${job}/*`)).coveredBy, undefined);
});

test('a denial ends to the millisecond, which is recorded once, however the wall clock is set meanwhile', async () => {
  await using stage = await DenialStage.open();
  await stage.put(app, { ms: 10 * minute });
  await stage.put(job, { until: startAt + 20 * minute });
  stage.pass(10 * minute - 1);
  stage.kept.at.wall += day;
  assert.ok(stage.denies(app));
  stage.kept.at.wall -= 3 * day;
  assert.ok(stage.denies(app));
  stage.pass(1);
  assert.deepEqual([stage.denies(app), stage.denies(job), stage.denials.count], [false, true, 1]);
  assert.deepEqual(
    (await stage.denials.list()).map(({ spiffeId }) => spiffeId),
    [job],
  );
  await assert.rejects(stage.lift(app), hasCode('api_not_found'));
  await stage.denials.look();
  await stage.denials.look();
  assert.deepEqual(
    stage.kept.notes.map(({ action, subject }) => [action, subject]),
    [['deny.expired', app]],
  );
  assert.deepEqual(stage.kept.history, ['denial_ended']);
});

test('a clock that was set back while Nexus was down ends no denial later than its time, nor earlier', async () => {
  const first = await DenialStage.open();
  await first.put(app, { ms: 10 * minute });
  first.pass(6 * minute);
  await first.put(job);
  first.kept.at.wall -= day;
  await using stage = await first.restart();
  assert.ok(stage.denies(app));
  stage.pass(4 * minute - 1);
  assert.ok(stage.denies(app));
  stage.pass(1);
  assert.equal(stage.denies(app), false);
});

test('while one waits for its end the stored time is kept young', async () => {
  const first = await DenialStage.open();
  await first.put(app, { ms: 30 * minute });
  first.pass(20 * minute);
  await first.denials.look();
  // Without the look it would begin anew with its whole time.
  first.kept.at.wall = startAt;
  await using stage = await first.restart();
  stage.pass(10 * minute);
  assert.equal(stage.denies(app), false);
});

test('ends that are no ends are refused', async () => {
  await using stage = await DenialStage.open();
  for (const term of [
    { until: startAt },
    { until: startAt - 1 },
    { until: startAt + 367 * day },
    { ms: 367 * day },
    { until: startAt + 1, ms: 1 },
    { until: Number.NaN },
  ])
    await assert.rejects(stage.put(app, term), hasCode('data_invalid_input'), JSON.stringify(term));
  assert.equal(stage.denies(app), false);
});

test('denied again it has the new reason and end, and counts once', async () => {
  await using stage = await DenialStage.open({ most: 2 });
  await stage.put(app, { ms: minute });
  await stage.put(job);
  await assert.rejects(stage.put(below), hasCode('limit_exceeded'));
  await stage.put(app, {}, 'for good');
  stage.pass(2 * minute);
  assert.ok(stage.denies(app));
  assert.deepEqual(
    (await stage.denials.list()).map(({ spiffeId, reason }) => [spiffeId, reason]),
    [
      [app, 'for good'],
      [job, 'why not'],
    ],
  );
});

test('SPIKE’s own is not denied, not even by a record that should not be there', async () => {
  await using stage = await DenialStage.open();
  for (const text of ['spiffe://spike.ist/spike/nexus', 'spiffe://spike.ist/spike/*', 'spiffe://spike.ist/*'])
    await assert.rejects(stage.put(text), hasCode('data_invalid_input'), text);
  const { vault, ledger } = stage.kept.fixture;
  const record = { subject: '', reason: 'r', by: 'b', at: 1, wall: 1, until: undefined };
  for (const subject of ['spiffe://spike.ist/spike/pilot/*', 'spiffe://spike.ist/spike/nexus']) {
    const meta = { revision: 1, version: 0, field: 0 };
    const row = vault.seal('setting', denialKey(vault, subject), meta, encodeDenial({ ...record, subject }));
    await ledger.commit([{ kind: 'put', table: 'setting', row, expect: 'absent' }]);
  }
  await using again = await stage.restart();
  assert.equal(again.denials.count, 2);
  assert.equal(again.denies('spiffe://spike.ist/spike/nexus'), false);
  assert.equal(again.denies('spiffe://spike.ist/spike/pilot/role/superuser'), false);
});

test('a commit whose outcome nobody knows is looked up, and one that failed changes nothing', async () => {
  await using stage = await DenialStage.open();
  const { store } = stage.kept.fixture;
  store.faults.push('before');
  await assert.rejects(stage.put(app), hasCode('store_failed'));
  assert.equal(stage.denies(app), false);
  store.faults.push('after');
  store.failingReads = 2;
  await assert.rejects(stage.put(app), hasCode('store_failed'));
  await stage.denials.look();
  assert.ok(stage.denies(app), 'it was committed');
  store.faults.push('lost');
  store.failingReads = 2;
  await assert.rejects(stage.lift(app), hasCode('store_failed'));
  await stage.denials.look();
  assert.ok(stage.denies(app), 'it was not');
  await stage.lift(app);
  assert.equal(stage.denies(app), false);
});

test('a list that is asked for in the middle of a commit hides nothing that comes of it', async () => {
  await using stage = await DenialStage.open();
  let isAsked = false;
  stage.kept.fixture.store.beforeNext = async () => {
    assert.deepEqual(await stage.denials.list(), []);
    isAsked = true;
  };
  await stage.put(app);
  assert.ok(isAsked);
  assert.ok(stage.denies(app));
});

test('it is answered when a write that was let through just before is through, with the connections cut already', async () => {
  await using stage = await DenialStage.open();
  const { store, ledger, vault } = stage.kept.fixture;
  const order: string[] = [];
  stage.kept.onCut = () => void order.push('cut');
  const check = (): void => assert.ok(!stage.denies(app), 'it is denied');
  const written = Promise.withResolvers<void>();
  let release = (): void => undefined;
  // It queues while the denial is written, and is in the store before the denial is known in memory.
  store.beforeNext = async () => {
    release = hold(store);
    written.resolve(ledger.commit([put(vault, 'a', 1, 'absent')], { check }));
    await Promise.resolve();
  };
  const write = written.promise.then(() => void order.push('write'));
  const answer = stage.put(app).then(() => void order.push('answer'));
  while (!stage.denies(app)) await turn();
  await turn();
  release();
  await Promise.all([write, answer]);
  assert.deepEqual(order, ['cut', 'write', 'answer']);
});

test('a record that does not open keeps Nexus from opening: whoever it denied would be let in', async () => {
  await using stage = await DenialStage.open();
  await stage.put(app);
  const { vault, ledger } = stage.kept.fixture;
  const meta = { revision: 2, version: 0, field: 0 };
  const row = vault.seal(
    'setting',
    denialKey(vault, app),
    meta,
    Buffer.from('\u0001{"book":"denial","subject":"*"}'),
  );
  await ledger.commit([{ kind: 'put', table: 'setting', row, expect: 'any' }]);
  await assert.rejects(stage.restart(), hasCode('store_integrity'));
});

test('a restore brings denials back, tells of them first, and takes none of those that are here away', async () => {
  await using a = await Rig.open(openMemoryStore());
  const deny = async (rig: Rig, spiffeId: string, reason: string) =>
    await rig.serving.denials.put({ spiffeId, reason, term: {}, by: 'ann' }, {});
  await deny(a, app, 'of the backup');
  await deny(a, below, 'of the backup');
  await a.serving.policies.put(grantAll, {
    name: 'p',
    spiffePattern: '^spiffe://td/x$',
    pathPattern: '^x$',
    permissions: ['read'],
  });
  const backup = await a.take();
  await using b = await Rig.open(openMemoryStore());
  await deny(b, app, 'of here');
  await deny(b, 'spiffe://spike.ist/here', 'of here');
  assert.deepEqual((await restoreTo(b, backup, a))?.denials.toSorted(), [app, below]);
  assert.ok(b.serving.denials.denies(SpiffeId.parse(app)), 'also while it is under way');
  await b.reopen();
  const shown = (await b.serving.denials.list()).map(({ spiffeId, reason }) => [spiffeId, reason]);
  assert.deepEqual(
    new Set(shown.map((one) => one.join(' '))),
    new Set([`${app} of here`, `${below} of the backup`, 'spiffe://spike.ist/here of here']),
  );
  const { problems } = await b.serving.verify(AbortSignal.timeout(10_000));
  assert.deepEqual(problems, []);
  assert.ok(b.serving.denials instanceof Denials);
});
