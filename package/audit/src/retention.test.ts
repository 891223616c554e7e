import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditFile } from './file.ts';
import { retain, timeOf } from './retention.ts';
import { freshDirectories } from './testing/directory.ts';

const freshDirectory = freshDirectories();
const signal = AbortSignal.timeout(120_000);
const dayMs = 86_400_000;
const now = Date.parse('2026-05-31T00:00:00Z');

/** One file for each of ten days, the last of which is written. */
async function openTenDays(): Promise<AuditFile> {
  const file = await AuditFile.open({ directory: freshDirectory(), signal });
  for (let day = 10; day >= 1; day--) {
    const time = new Date(now - day * dayMs).toISOString();
    await Promise.all(Array.from({ length: 100 }, async () => file.append(`"time":"${time}"}`)));
    if (day > 1) await file.roll();
  }
  return file;
}

test('lines that are too old are given up, whole files of them', async () => {
  await using file = await openTenDays();
  const options = { keepMs: 5.5 * dayMs, neededFrom: file.size, now };
  const { sealed, refused } = await retain(file, options, signal);
  assert.deepEqual(
    sealed.map(({ from, to }) => [from, to]),
    [
      [0, 100],
      [100, 200],
      [200, 300],
      [300, 400],
      [400, 500],
    ],
  );
  assert.deepEqual([refused, file.first, file.size], [undefined, 500, 1_000]);
  assert.deepEqual(await file.verify(signal), { ok: true });
  assert.deepEqual((await retain(file, options, signal)).sealed, []);
});

test('the oldest lines are given up while there are too many bytes', async () => {
  await using file = await openTenDays();
  const whole = file.bytes;
  await retain(file, { keepBytes: whole / 2, neededFrom: file.size, now }, signal);
  assert.equal(file.first, 600, 'numbers get longer, so it is not half of the lines');
  assert.ok(file.bytes <= whole / 2);
  await retain(file, { keepBytes: 0, neededFrom: file.size, now }, signal);
  assert.equal(file.first, 900, 'the file that is written stays');
});

test('nothing is given up that is needed, or of which nothing was said', async () => {
  await using file = await openTenDays();
  assert.deepEqual((await retain(file, { neededFrom: file.size, now }, signal)).sealed, []);
  await retain(file, { keepMs: 0, neededFrom: 250, now }, signal);
  assert.equal(file.first, 200);
});

test('the time of a line is read, and a line without one is of no age', () => {
  assert.equal(timeOf('{"sequence":1,"time":"2026-05-31T00:00:00.123456Z"}'), now + 123);
  for (const line of [undefined, '', '{}', '{"time":"soon"}']) assert.equal(timeOf(line), undefined);
});
