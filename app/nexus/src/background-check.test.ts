import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '@spike/log';
import { BackgroundCheck, type BackgroundCheckOptions } from './background-check.ts';

function open(verify: BackgroundCheckOptions['verify']) {
  const events: string[] = [];
  const noted = Promise.withResolvers<readonly string[]>();
  const log = createLog({
    component: 'test',
    level: 'info',
    write: (line) => void events.push((JSON.parse(line) as { event: string }).event),
  });
  const check = new BackgroundCheck({ verify, note: noted.resolve, log, startAfterMs: 0, pauseMs: 0 });
  // Its timers hold no process, so a test that waits for it has to.
  const hold = setInterval(() => undefined, 1_000);
  void noted.promise.then(() => clearInterval(hold));
  return { check, events, noted: noted.promise, release: () => clearInterval(hold) };
}

test('a check that finds nothing is logged, and clears what an earlier one noted', async () => {
  const { check, events, noted } = open(async (_signal, pace) => {
    await pace();
    return { ok: true, checked: 3, problems: [] };
  });
  assert.deepEqual(await noted, []);
  await check[Symbol.asyncDispose]();
  assert.deepEqual(events, ['check.passed']);
});

test('what a check finds is noted and logged', async () => {
  const { check, events, noted } = open(async () => ({ ok: false, checked: 3, problems: ['a', 'b'] }));
  assert.deepEqual(await noted, ['a', 'b']);
  await check[Symbol.asyncDispose]();
  assert.deepEqual(events, ['check.failed']);
});

test('a check that breaks off by itself is noted, too', async () => {
  const { check, events, noted } = open(() => Promise.reject(new Error('the disk is gone')));
  assert.match((await noted)[0] ?? '', /did not come to its end/);
  await check[Symbol.asyncDispose]();
  assert.deepEqual(events, ['check.broken']);
});

test('a check ends when it is disposed of, between two pieces of its work, and says nothing', async () => {
  const begun = Promise.withResolvers<void>();
  const { check, events, release } = open(async (_signal, pace) => {
    begun.resolve();
    for (;;) await pace();
  });
  await begun.promise;
  await check[Symbol.asyncDispose]();
  release();
  assert.deepEqual(events, []);
});
