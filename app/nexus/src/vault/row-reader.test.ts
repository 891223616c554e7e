import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import { openMemoryStore, type Op, type Row, type Store } from '@spike/store';

import { RowCache } from './row-cache.ts';
import { rowId, RowReader } from './row-reader.ts';
import { createTestInstance, hasCode } from './testing/instance.ts';

const { vault } = (await createTestInstance()).instance;
const key = vault.key('secret', ['a']);
const rowAt = (revision: number, size = 10): Row =>
  vault.seal('secret', key, { revision, version: 0, field: 0 }, new Uint8Array(size));
const put = (row: Row): Op => ({ kind: 'put', table: 'secret', row, expect: 'any' });

const bytesOf = (row: Row | undefined): readonly unknown[] => {
  if (row === undefined) return [];
  const { format, suite, term, revision, version, field } = row;
  const bytes = [row.key, row.nonce, row.body].map((part) => Buffer.from(part).toString('hex'));
  return [format, suite, term, revision, version, field, ...bytes];
};

/** A store whose look-ups are answered by hand. */
class SlowStore {
  readonly inner: Store = openMemoryStore();
  readonly waiting: PromiseWithResolvers<Row | undefined>[] = [];
  readonly store: Store = {
    kind: 'memory',
    head: () => this.inner.head(),
    list: (...all) => this.inner.list(...all),
    commit: (ops) => this.inner.commit(ops),
    health: () => this.inner.health(),
    snapshot: (signal) => this.inner.snapshot(signal),
    verify: (signal) => this.inner.verify(signal),
    [Symbol.asyncDispose]: () => this.inner[Symbol.asyncDispose](),
    get: () => {
      const answer = Promise.withResolvers<Row | undefined>();
      this.waiting.push(answer);
      return answer.promise;
    },
  };
}

test('a row is asked for once and then known', async () => {
  const slow = new SlowStore();
  const reader = new RowReader(slow.store, 1e6);
  const both = Promise.all([reader.get('secret', key), reader.get('secret', key)]);
  assert.equal(slow.waiting.length, 1);
  const row = rowAt(1);
  slow.waiting[0]?.resolve(row);
  for (const found of await both) assert.deepEqual(bytesOf(found), bytesOf(row));
  assert.equal(await reader.get('secret', key), (await both)[0]);
  assert.equal(slow.waiting.length, 1);
});

test('that there is nothing is asked for again', async () => {
  const slow = new SlowStore();
  const reader = new RowReader(slow.store, 1e6);
  for (const turn of [0, 1]) {
    const read = reader.get('secret', key);
    slow.waiting[turn]?.resolve(undefined);
    assert.equal(await read, undefined);
  }
  assert.equal(slow.waiting.length, 2);
});

test('an answer that a commit overtook is not remembered and not given to later readers', async () => {
  const slow = new SlowStore();
  const reader = new RowReader(slow.store, 1e6);
  const early = reader.get('secret', key);
  const newer = rowAt(2);
  reader.settle([put(newer)]);
  const late = reader.get('secret', key);
  slow.waiting[0]?.resolve(rowAt(1));
  assert.equal((await early)?.revision, 1);
  assert.deepEqual(bytesOf(await late), bytesOf(newer));
  assert.equal(await reader.get('secret', key), await late);
});

test('a reader behind a deletion or an unknown outcome asks the store, whatever was on its way', async () => {
  for (const end of [
    (reader: RowReader) => {
      reader.settle([{ kind: 'delete', table: 'secret', key, expect: 'any' }]);
    },
    (reader: RowReader) => {
      reader.forget([put(rowAt(2))]);
    },
  ]) {
    const slow = new SlowStore();
    const reader = new RowReader(slow.store, 1e6);
    reader.settle([put(rowAt(1))]);
    assert.equal(reader.known(rowId('secret', key))?.revision, 1);
    end(reader);
    const early = reader.get('secret', key);
    end(reader);
    const late = reader.get('secret', key);
    assert.equal(slow.waiting.length, 2);
    slow.waiting[1]?.resolve(undefined);
    slow.waiting[0]?.resolve(rowAt(1));
    await early;
    assert.equal(await late, undefined);
    assert.equal(reader.known(rowId('secret', key)), undefined);
  }
});

test('a look-up that failed is a SpikeError and is tried again', async () => {
  const slow = new SlowStore();
  const reader = new RowReader(slow.store, 1e6);
  const failing = reader.get('secret', key);
  slow.waiting[0]?.reject(new Error('disk'));
  await assert.rejects(failing, hasCode('store_failed'));
  const again = reader.get('secret', key);
  slow.waiting[1]?.reject(new SpikeError('store_integrity', 'damaged'));
  await assert.rejects(again, hasCode('store_integrity'));
});

test('what the cache gives is what it got, in memory of its own, and opens', () => {
  const cache = new RowCache(1e6);
  const row = rowAt(3, 500);
  const kept = cache.set('a', row);
  const expected = bytesOf(row);
  assert.deepEqual(bytesOf(kept), expected);
  assert.equal(vault.open('secret', kept).length, 500);
  row.body.fill(0);
  row.key.fill(0);
  assert.deepEqual(bytesOf(cache.get('a')), expected);
  assert.equal(kept.body.buffer.byteLength, row.key.length + row.nonce.length + row.body.length);
});

test('of rows that are used alike the oldest go first, and one that is used is kept', () => {
  const cache = new RowCache(20_000);
  for (let i = 0; i < 200; i++) {
    cache.set(String(i), rowAt(1, 400));
    assert.ok(cache.bytes <= 20_000);
    assert.ok(cache.get(String(i)), 'what was just put in is there');
  }
  assert.equal(cache.get('100'), undefined);
  assert.ok(cache.get('199'));
});

test('the cache keeps to its bound and lets the least recently used go', () => {
  const cache = new RowCache(10_000);
  for (let i = 0; i < 100; i++) {
    cache.set(String(i), rowAt(1, 400));
    assert.ok(cache.bytes <= 10_000);
    cache.get('0');
  }
  assert.ok(cache.get('0'));
  assert.ok(cache.get('99'));
  assert.equal(cache.get('1'), undefined);
  cache.set('0', rowAt(1, 20_000));
  assert.equal(cache.get('0'), undefined);
  for (let i = 0; i < 100; i++) cache.delete(String(i));
  assert.equal(cache.bytes, 0);
});
