import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { KeyedLock } from './keyed-lock.ts';
import { SharedCheck } from './shared-check.ts';

const never = new AbortController().signal;

/** Checks that end when the test says so, and how many of them ran side by side. */
class Bench {
  readonly turns = new KeyedLock();
  readonly ends: ((found: string) => void)[] = [];
  running = 0;
  most = 0;

  share(): SharedCheck<string> {
    return new SharedCheck(this.turns, async (signal) => {
      this.running += 1;
      this.most = Math.max(this.most, this.running);
      try {
        const { promise, resolve, reject } = Promise.withResolvers<string>();
        this.ends.push(resolve);
        signal.addEventListener('abort', () => reject(signal.reason));
        return await promise;
      } finally {
        this.running -= 1;
      }
    });
  }
}

test('who asks while one runs gets what it finds, and the next one is another', async () => {
  const bench = new Bench();
  await using check = bench.share();
  const asked = Array.from({ length: 100 }, () => check.run(never));
  await setImmediate();
  assert.equal(bench.ends.length, 1);
  bench.ends[0]?.('first');
  assert.deepEqual([...new Set(await Promise.all(asked))], ['first']);
  const again = check.run(never);
  await setImmediate();
  assert.equal(bench.ends.length, 2);
  bench.ends[1]?.('second');
  assert.equal(await again, 'second');
});

test('two kinds that share their turns never run side by side', async () => {
  const bench = new Bench();
  await using one = bench.share();
  await using other = bench.share();
  const asked = [one.run(never), other.run(never), one.run(never)];
  await setImmediate();
  assert.equal(bench.ends.length, 1);
  bench.ends[0]?.('one');
  await setImmediate();
  await setImmediate();
  bench.ends[1]?.('other');
  assert.deepEqual(await Promise.all(asked), ['one', 'other', 'one']);
  assert.equal(bench.most, 1);
});

test('who leaves takes nothing from the others, and it ends with the last one', async () => {
  const bench = new Bench();
  await using check = bench.share();
  const leaving = new AbortController();
  const left = check.run(leaving.signal);
  const staying = new AbortController();
  const stayed = check.run(staying.signal);
  await setImmediate();
  leaving.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  assert.equal(bench.running, 1);
  staying.abort(new Error('gone, too'));
  await assert.rejects(stayed, /gone, too/);
  // Whoever comes now waits for the end of that one, and has one of his own.
  const next = check.run(never);
  await setImmediate();
  await setImmediate();
  assert.equal(bench.ends.length, 2);
  bench.ends[1]?.('anew');
  assert.equal(await next, 'anew');
  assert.equal(bench.most, 1);
});

test('it goes as fast as the most hurried one wants', async () => {
  let pages = 0;
  await using check = new SharedCheck(new KeyedLock(), async (signal, pace) => {
    for (; pages < 1_000; pages++) {
      signal.throwIfAborted();
      await pace();
    }
    return pages;
  });
  const gate = Promise.withResolvers<void>();
  const patient = check.run(never, () => gate.promise);
  await setImmediate();
  assert.equal(pages, 0);
  const hurried = check.run(never);
  gate.resolve();
  assert.equal(await hurried, 1_000);
  assert.equal(await patient, 1_000);
});

test('a pace that is broken off with its asker breaks nothing off for the others', async () => {
  await using check = new SharedCheck(new KeyedLock(), async (signal, pace) => {
    await pace();
    signal.throwIfAborted();
    return 'whole';
  });
  const leaving = new AbortController();
  const gone = Promise.withResolvers<void>();
  const patient = check.run(leaving.signal, () => gone.promise);
  const staying = check.run(never);
  gone.reject(new Error('gone'));
  leaving.abort(new Error('gone'));
  await assert.rejects(patient, /gone/);
  assert.equal(await staying, 'whole');
});

test('closing it ends what runs, and waits until it has ended', async () => {
  const bench = new Bench();
  const check = bench.share();
  const asked = assert.rejects(check.run(never), { code: 'state_not_ready' });
  await setImmediate();
  await check[Symbol.asyncDispose]();
  assert.equal(bench.running, 0);
  await asked;
  await assert.rejects(check.run(never), { code: 'state_not_ready' });
});
