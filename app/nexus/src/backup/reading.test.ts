import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openMemoryStore } from '@spike/store';
import { hasCode } from '../vault/testing/instance.ts';
import { fill, openAt, origin, owner, Rig, startOf } from './testing/rig.ts';

const minute = 60_000;

/** A restore whose shares are here, and the clock that says how long. */
async function openKeys(context: TestContext, rig: Rig) {
  await fill(rig, 2);
  const backup = await rig.take();
  const first = startOf(backup).length;
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const id = await openAt(rig, backup, 'restore', rig, [1, 2, 3]);
  const feed = (at: number, bytes: number) =>
    rig.backups.feed(owner, id, at, backup.subarray(at, at + bytes), origin);
  return {
    id,
    first,
    feed,
    pass: (minutes: number) => context.mock.timers.tick(minutes * minute),
    assertGone: () => assert.rejects(feed(first, 0), hasCode('api_not_found')),
  };
}

test('further bytes keep the keys of a backup alive, and pieces that bring none do not', async (context) => {
  await using rig = await Rig.open(openMemoryStore());
  const { first, feed, pass, assertGone } = await openKeys(context, rig);
  for (let count = 0; count < 3; count++) {
    pass(14);
    await feed(first + count, 1);
  }
  pass(14);
  await feed(first + 3, 0);
  await feed(first, 3);
  pass(0.9);
  await feed(first + 3, 0);
  pass(0.1);
  await assertGone();
});

test('a share that was brought before keeps the others no longer', async (context) => {
  await using rig = await Rig.open(openMemoryStore());
  const backup = await rig.take();
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const id = await openAt(rig, backup, 'restore', rig, [1]);
  const bring = (number: number) => {
    const [share] = rig.shares(number);
    assert.ok(share !== undefined);
    return rig.backups.takeShare(owner, id, share);
  };
  context.mock.timers.tick(14 * minute);
  assert.equal(bring(2).repeated, false);
  context.mock.timers.tick(14 * minute);
  assert.equal(bring(2).repeated, true);
  context.mock.timers.tick(minute);
  assert.throws(() => bring(3), hasCode('api_not_found'));
});

test('after 12 hours the keys are gone, whatever comes', async (context) => {
  await using rig = await Rig.open(openMemoryStore());
  const { first, feed, pass, assertGone } = await openKeys(context, rig);
  for (let count = 0; count < 71; count++) {
    pass(10);
    await feed(first + count, 1);
  }
  pass(9.9);
  await feed(first + 71, 1);
  pass(0.1);
  await assertGone();
});
