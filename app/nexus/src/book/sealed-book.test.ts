import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../alert/testing/sink.ts';
import { decodeRecord, encodeRecord, readNumber, readText } from '../service/record.ts';
import { openTestLedger } from '../vault/testing/instance.ts';
import { hold, openFixture } from '../vault/testing/ledger.ts';
import { SealedBook } from './sealed-book.ts';

interface Entry {
  readonly id: string;
  readonly value: number;
}

const open = (label = 'a') =>
  new SealedBook<Entry>({
    table: 'history',
    label,
    encode: (entry) => encodeRecord(entry),
    decode: (bytes) => {
      const record = decodeRecord(bytes);
      return { id: readText(record, 'id'), value: readNumber(record, 'value') };
    },
    idOf: ({ id }) => id,
    log: silent,
  });

test('what was put is there after a restart, what was removed is not, and two books of one table do not mix', async () => {
  const { ledger, vault, ...made } = await openFixture();
  const [book, other] = [open(), open('b')];
  for (const one of [book, other]) await one.attach({ vault, ledger });
  for (let n = 0; n < 450; n++) book.put({ id: String(n), value: n });
  other.put({ id: '1', value: 7 });
  await book.flush();
  book.put({ id: '3', value: 33 });
  book.remove('4');
  book.remove('never there');
  await book.detach();
  await other.detach();
  await ledger[Symbol.asyncDispose]();
  const again = await openTestLedger(made);
  const found = await open().attach({ vault, ledger: again });
  assert.equal(found.entries.length, 449);
  assert.equal(found.damaged, 0);
  assert.equal(found.entries.find(({ id }) => id === '3')?.value, 33);
  assert.deepEqual((await open('b').attach({ vault, ledger: again })).entries, [{ id: '1', value: 7 }]);
});

test('callers never wait, and what is put while a transaction runs goes with the next one', async () => {
  const { ledger, vault, store } = await openFixture();
  const book = open();
  await book.attach({ vault, ledger });
  const release = hold(store);
  book.put({ id: 'x', value: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  for (let n = 1; n <= 100; n++) book.put({ id: 'x', value: n });
  release();
  assert.ok(await book.flush());
  assert.equal(store.committed.length, 2, 'a hundred changes are one more transaction');
  assert.deepEqual((await open().attach({ vault, ledger })).entries, [{ id: 'x', value: 100 }]);
});

test('what comes and goes between two transactions costs none, and what goes while its own runs is gone', async () => {
  const { ledger, vault, store } = await openFixture();
  const book = open();
  await book.attach({ vault, ledger });
  const release = hold(store);
  book.put({ id: 'x', value: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  for (let n = 1; n <= 1_000; n++) {
    book.put({ id: `passing ${n}`, value: n });
    book.remove(`passing ${n}`);
  }
  book.remove('x');
  assert.equal(book.waiting, 1, 'they do not pile up');
  release();
  assert.ok(await book.flush());
  const sizes = store.committed.map(
    (ops) => ops.filter((op) => op.kind !== 'head' && op.table === 'history').length,
  );
  assert.deepEqual(sizes, [1, 1]);
  assert.deepEqual((await open().attach({ vault, ledger })).entries, []);
});

test('what is removed of a transaction of unknown outcome is gone, whatever became of it', async () => {
  for (const fault of ['lost', 'after'] as const) {
    const { ledger, vault, store } = await openFixture();
    const book = open();
    await book.attach({ vault, ledger });
    store.faults.push(fault);
    store.failingReads = 1;
    book.put({ id: 'x', value: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    book.remove('x');
    await book.detach();
    assert.deepEqual((await open().attach({ vault, ledger })).entries, [], fault);
  }
});

test('a store that fails is tried again, also when nobody knows what it did', async () => {
  for (const fault of ['before', 'after'] as const) {
    const { ledger, vault, store } = await openFixture();
    const book = open();
    await book.attach({ vault, ledger });
    store.faults.push(fault);
    book.put({ id: 'x', value: 1 });
    book.put({ id: 'y', value: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    await book.detach();
    const { entries } = await open().attach({ vault, ledger });
    assert.deepEqual(entries.map(({ id }) => id).toSorted(), ['x', 'y'], fault);
  }
});

test('a record that does not open, or lies in the place of another, is counted and hinders nothing', async () => {
  const { ledger, vault } = await openFixture();
  const book = open();
  await book.attach({ vault, ledger });
  book.put({ id: 'x', value: 1 });
  await book.detach();
  const key = vault.key('history', ['a', 'z']);
  const meta = { revision: 1, version: 0, field: 0 };
  const misplaced = vault.seal('history', key, meta, encodeRecord({ id: 'y', value: 1 }));
  const nothing = vault.seal('history', vault.key('history', ['a', 'w']), meta, Buffer.from('no record'));
  await ledger.commit([
    { kind: 'put', table: 'history', row: misplaced, expect: 'absent' },
    { kind: 'put', table: 'history', row: nothing, expect: 'absent' },
  ]);
  const { entries, damaged } = await open().attach({ vault, ledger });
  assert.deepEqual([entries.length, damaged], [1, 2]);
});
