import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newestOf } from './newest.ts';

async function* from<T>(...values: (T | Error)[]): AsyncGenerator<T> {
  for (const value of values) {
    if (value instanceof Error) throw value;
    yield value;
  }
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('a consumer that is quick gets every value', async () => {
  const next = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  const source = async function* () {
    for (const one of next) yield await one.promise;
  };
  const values = newestOf(source());
  next[0]?.resolve(1);
  assert.equal((await values.next()).value, 1);
  next[1]?.resolve(2);
  assert.equal((await values.next()).value, 2);
  assert.equal((await values.next()).done, true);
});

test('a consumer that is slow gets the newest value, and the last one even after the end', async () => {
  const values = newestOf(from(1, 2, 3));
  const first = values.next();
  await settle();
  await first;
  const rest: number[] = [];
  for await (const value of values) rest.push(value);
  assert.ok([(await first).value, ...rest].at(-1) === 3);
  assert.ok(rest.length <= 1);
});

test('a failure overtakes values that were not taken', async () => {
  const values = newestOf(from<number>(1, new Error('gone')));
  const first = values.next();
  await first.catch(() => undefined);
  await settle();
  await assert.rejects(async () => {
    await first;
    await values.next();
  }, /gone/);
});

test('an empty source ends at once', async () => {
  assert.equal((await newestOf(from()).next()).done, true);
});

test('a consumer that stops ends the source', async () => {
  let ended = false;
  const source = async function* () {
    try {
      for (;;) {
        yield 1;
        await settle();
      }
    } finally {
      ended = true;
    }
  };
  for await (const _ of newestOf(source())) break;
  await settle();
  await settle();
  assert.ok(ended);
});
