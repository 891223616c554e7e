import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newestSplit, parseHead } from '../vault/head.ts';
import { createTestInstance } from '../vault/testing/instance.ts';
import { Restoring } from './restoring.ts';

const minute = 60_000;

test('shares that people typed are forgotten after 15 minutes without a further one, and one that is typed again is none', async (context) => {
  const { instance, store } = await createTestInstance();
  const head = await store.head();
  const split = newestSplit(parseHead(head?.bytes ?? new Uint8Array()).splits, 'recovery');
  context.mock.timers.enable({ apis: ['setTimeout'] });
  using restoring = new Restoring();
  const take = (id: number) => restoring.take(instance.recovery.shareOf(id), split, instance.instance);
  assert.equal(take(1).collected, 1);
  context.mock.timers.tick(14 * minute);
  assert.equal(take(2).collected, 2);
  context.mock.timers.tick(14 * minute);
  assert.deepEqual(take(2), { collected: 2, remaining: 1, restored: false, repeated: true });
  context.mock.timers.tick(minute);
  assert.equal(restoring.shares.length, 0);
});
