import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedLock } from './keyed-lock.ts';

test('tasks of one key run one after the other, those of other keys beside them', async () => {
  const lock = new KeyedLock();
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lock.run('a', async () => {
    log.push('a1');
    await gate.promise;
    log.push('a1 end');
  });
  const second = lock.run('a', async () => void log.push('a2'));
  await lock.run('b', async () => void log.push('b'));
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(log, ['a1', 'b', 'a1 end', 'a2']);
});

test('a task that fails lets the next one run, and nothing is kept', async () => {
  const lock = new KeyedLock();
  const failing = lock.run('a', () => Promise.reject(new Error('no')));
  const next = lock.run('a', () => Promise.resolve(1));
  await assert.rejects(failing, /no/);
  assert.equal(await next, 1);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(lock.size, 0);
});

test('who gives up waiting does not let others pass before their turn', async () => {
  const lock = new KeyedLock();
  const gate = Promise.withResolvers<void>();
  let running = true;
  const first = lock.run('a', async () => {
    await gate.promise;
    running = false;
  });
  const controller = new AbortController();
  const waiting = lock.run('a', () => Promise.resolve('never'), controller.signal);
  const third = lock.run('a', () => Promise.resolve(running));
  controller.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  gate.resolve();
  await first;
  assert.equal(await third, false);
  await assert.rejects(
    lock.run('a', () => Promise.resolve(1), AbortSignal.abort(new Error('early'))),
    /early/,
  );
});
