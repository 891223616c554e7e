import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import { toSealed } from '@spike/store/seal';

import type { AuditDraft } from './port.ts';
import { hasCode, openTestLedger } from './testing/instance.ts';
import { draft, keyOf, openFixture, put } from './testing/ledger.ts';

const outcomeOf = (thrown: unknown): unknown => {
  assert.ok(thrown instanceof SpikeError && thrown.code === 'store_failed');
  return thrown.detail['outcome'];
};

test('a store that fails refuses the whole batch, and the next one goes through', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  store.faults.push('before');
  const results = await Promise.allSettled([
    ledger.commit([put(vault, 'a', 2, { revision: 1 })]),
    ledger.commit([put(vault, 'p', 1, 'absent', 'policy')]),
  ]);
  for (const result of results) {
    assert.ok(result.status === 'rejected' && outcomeOf(result.reason) === 'none');
  }
  assert.equal((await ledger.get('secret', keyOf(vault, 'a')))?.revision, 1);
  await ledger.commit([put(vault, 'a', 2, { revision: 1 }), put(vault, 'p', 1, 'absent', 'policy')]);
  assert.equal((await ledger.get('secret', keyOf(vault, 'a')))?.revision, 2);
  assert.equal((await openTestLedger({ ...made, store })).revision, 3);
});

test('a commit whose answer was lost counts as committed when the store says so', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  store.faults.push('after');
  await ledger.commit([put(vault, 'a', 1, 'absent'), put(vault, 'p', 1, 'absent', 'policy')], {
    record: draft('t1'),
  });
  await ledger.commit([put(vault, 'a', 2, { revision: 1 })], { record: draft('t2') });
  assert.equal(ledger.revision, 3);
  const again = await openTestLedger({ ...made, store });
  assert.deepEqual(
    again.pendingOutbox().map((record) => record.trail),
    ['t1', 't2'],
  );
});

test('an outcome that nobody can tell is said to be unknown, and its record is not lost', async () => {
  for (const fault of ['lost', 'after'] as const) {
    const { ledger: unused, vault, store, ...made } = await openFixture();
    await unused[Symbol.asyncDispose]();
    const late: AuditDraft[] = [];
    const ledger = await openTestLedger({ ...made, store }, { late: (record) => late.push(record) });
    store.faults.push(fault);
    store.failingReads = 2;
    const unknown = ledger.commit([put(vault, 'p', 1, 'absent', 'policy')], { record: draft('t1') });
    await assert.rejects(unknown, (thrown) => outcomeOf(thrown) === 'unknown');
    const refused = ledger.commit([put(vault, 'q', 1, 'absent', 'policy')]);
    await assert.rejects(refused, (thrown) => outcomeOf(thrown) === 'none');
    await ledger.commit([put(vault, 'q', 1, 'absent', 'policy')]);
    assert.deepEqual(
      late.map((record) => record.trail),
      fault === 'after' ? ['t1'] : [],
    );
    const there = (await ledger.get('policy', vault.key('policy', ['t', 'p']))) !== undefined;
    assert.equal(there, fault === 'after');
    await openTestLedger({ ...made, store });
  }
});

test('what a stalled disk writes after all is taken over, and what it no longer can is not', async () => {
  for (const order of ['before the next', 'with the next', 'behind the next'] as const) {
    const { ledger: unused, vault, store, ...made } = await openFixture();
    await unused[Symbol.asyncDispose]();
    const late: AuditDraft[] = [];
    const ledger = await openTestLedger({ ...made, store }, { late: (record) => late.push(record) });
    await ledger.commit([put(vault, 'a', 1, 'absent')]);
    store.faults.push('stalled', 'stalled');
    for (const trail of ['t1', 't2']) {
      const stalled = ledger.commit([put(vault, 'p', 1, 'absent', 'policy')], { record: draft(trail) });
      await assert.rejects(stalled, (thrown) => outcomeOf(thrown) === 'unknown');
    }
    assert.equal(await ledger.get('policy', vault.key('policy', ['t', 'p'])), undefined);
    if (order === 'before the next') await store.release();
    if (order === 'with the next') store.beforeNext = () => store.release();
    await ledger.commit([put(vault, 'a', 2, { revision: 1 })]);
    if (order === 'behind the next') await store.release();
    const applied = order !== 'behind the next';
    assert.deepEqual(
      late.map((record) => record.trail),
      applied ? ['t1'] : [],
    );
    assert.equal(
      (await ledger.get('policy', vault.key('policy', ['t', 'p'])))?.revision,
      applied ? 1 : undefined,
    );
    assert.equal(ledger.revision, applied ? 4 : 3);
    // Nothing is in doubt any more, so nothing has to be asked.
    store.failingReads = 1;
    await ledger.commit([put(vault, 'a', 3, { revision: 2 })]);
    assert.equal(store.failingReads, 1);
    store.failingReads = 0;
    const again = await openTestLedger({ ...made, store });
    assert.deepEqual(
      again.pendingOutbox().map((record) => record.trail),
      applied ? ['t1'] : [],
    );
  }
});

test('what a stalled disk writes after all is told of although nobody writes any more', async () => {
  const { ledger: unused, vault, store, ...made } = await openFixture();
  await unused[Symbol.asyncDispose]();
  const told = Promise.withResolvers<AuditDraft>();
  await using ledger = await openTestLedger({ ...made, store }, { late: told.resolve, lookAgainMs: 1 });
  store.faults.push('stalled');
  const stalled = ledger.commit([put(vault, 'p', 1, 'absent', 'policy')], { record: draft('t1') });
  await assert.rejects(stalled, (thrown) => outcomeOf(thrown) === 'unknown');
  // A store that cannot be read for a while is asked again.
  store.failingReads = 2;
  await store.release();
  // The ledger's own timer keeps no process alive.
  const hold = setInterval(() => undefined, 1_000);
  assert.equal((await told.promise.finally(() => clearInterval(hold))).trail, 't1');
  assert.equal(store.failingReads, 0);
  assert.ok(ledger.settled);
  assert.equal(ledger.owes('t1'), true);
});

test('one caller who breaks a limit of the store does not take the others along', async () => {
  const { ledger, vault, store } = await openFixture();
  const huge = put(vault, 'huge', 1, 'absent');
  assert.ok(huge.kind === 'put');
  const body = toSealed(new Uint8Array(5 * 1024 * 1024));
  const results = await Promise.allSettled([
    ledger.commit([put(vault, 'a', 1, 'absent')]),
    ledger.commit([{ ...huge, row: { ...huge.row, body } }]),
    ledger.commit([put(vault, 'b', 1, 'absent')]),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.ok(results[1]?.status === 'rejected' && hasCode('data_invalid_input')(results[1].reason));
  assert.equal(store.committed.length, 2);
});

test('somebody else who writes to the store stops all writing', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  const other = await openTestLedger({ ...made, store });
  await other.commit([put(vault, 'a', 1, 'absent')]);
  await assert.rejects(ledger.commit([put(vault, 'b', 1, 'absent')]), hasCode('store_integrity'));
  await assert.rejects(ledger.commit([put(vault, 'c', 1, 'absent')]), hasCode('store_integrity'));
  await other.commit([put(vault, 'd', 1, 'absent')]);
});

test('keys that are wiped while a write waits refuse it, and nothing is written', async () => {
  const { ledger, vault, store, instance } = await openFixture();
  const op = put(vault, 'a', 1, 'absent');
  instance[Symbol.dispose]();
  await assert.rejects(ledger.commit([op]), hasCode('state_not_ready'));
  assert.equal(store.committed.length, 0);
});

test('a caller who conflicts with what somebody else wrote reads that next', async () => {
  const { ledger, vault, store } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  await ledger.get('secret', keyOf(vault, 'a'));
  await store.inner.commit([put(vault, 'a', 5, 'any')]);
  await assert.rejects(
    ledger.commit([put(vault, 'a', 2, { revision: 1 })]),
    hasCode('entity_version_conflict'),
  );
  assert.equal((await ledger.get('secret', keyOf(vault, 'a')))?.revision, 5);
});
