import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openMemoryStore, type Op, type Row } from '@spike/store';
import fc from 'fast-check';

import { readOutbox } from './outbox.ts';
import { rowId } from './row-reader.ts';
import { createTestInstance, hasCode, openTestLedger } from './testing/instance.ts';
import { draft, hold, keyOf, openFixture, put } from './testing/ledger.ts';

const hex = (row: Row | undefined): string => Buffer.from(row?.nonce ?? []).toString('hex');

test('what was committed is read, after a restart too', async () => {
  const { ledger, vault, ...made } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')], { record: draft('t1') });
  assert.equal(ledger.revision, 2);
  const again = await openTestLedger(made);
  assert.equal(again.revision, 2);
  for (const one of [ledger, again]) {
    const row = await one.get('secret', keyOf(vault, 'a'));
    assert.ok(row);
    assert.equal(Buffer.from(vault.open('secret', row)).toString(), 'a@1');
    assert.equal((await one.list('secret', new Uint8Array(), { limit: 10 })).length, 1);
  }
});

test('callers who come together are written together, those who come meanwhile are the next batch', async () => {
  const { ledger, vault, store } = await openFixture();
  const release = hold(store);
  const first = ['a', 'b', 'c'].map((name) => ledger.commit([put(vault, name, 1, 'absent')]));
  await new Promise(setImmediate);
  const second = ['d', 'e'].map((name) => ledger.commit([put(vault, name, 1, 'absent')]));
  release();
  await Promise.all([...first, ...second]);
  assert.deepEqual(
    store.committed.map((ops) => ops.length),
    [4, 3],
  );
  assert.equal(ledger.revision, 3);
});

test('a caller whose expectation fails is told so alone', async () => {
  const { ledger, vault, store } = await openFixture();
  const conflict = hasCode('entity_version_conflict');
  const results = await Promise.allSettled([
    ledger.commit([put(vault, 'a', 1, 'absent')], { record: draft('t1') }),
    ledger.commit([put(vault, 'x', 1, 'absent'), put(vault, 'b', 2, { revision: 1 })], {
      record: draft('t2'),
    }),
    ledger.commit([put(vault, 'c', 1, 'absent')], { record: draft('t3') }),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.ok(results[1]?.status === 'rejected' && conflict(results[1].reason));
  assert.equal(await ledger.get('secret', keyOf(vault, 'x')), undefined);
  const trails = (await readOutbox(vault, store)).flatMap(({ drafts }) => drafts.map(({ trail }) => trail));
  assert.deepEqual(trails, ['t1', 't3']);
});

test('of many writers who read the same row one wins, and the losers cost no transaction each', async () => {
  const { ledger, vault, store } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  const writers = Array.from({ length: 50 }, () => ledger.commit([put(vault, 'a', 2, { revision: 1 })]));
  const results = await Promise.allSettled(writers);
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
  assert.equal(store.refused, 0);
  assert.equal(store.committed.length, 2);
});

test('whoever came along because of one who lost is not told of a conflict with what is not committed yet', async () => {
  const { ledger, vault } = await openFixture();
  const told: string[] = [];
  const gone = (name: string): Op => ({
    kind: 'delete',
    table: 'secret',
    key: vault.key('secret', ['t', name]),
    expect: { revision: 4 },
  });
  const first = ledger.commit([put(vault, 'a', 4, 'absent')]).then(() => told.push('the first is there'));
  // There is no b, so this one loses; the third would have found no a behind it.
  const loser = assert.rejects(ledger.commit([gone('a'), gone('b')]), hasCode('entity_version_conflict'));
  const third = assert
    .rejects(ledger.commit([put(vault, 'a', 1, 'absent')]), hasCode('entity_version_conflict'))
    .then(() => told.push('the third finds it'));
  await Promise.all([first, loser, third]);
  assert.deepEqual(told, ['the first is there', 'the third finds it']);
});

test('random concurrent transactions behave as if one came after the other', async () => {
  const step = fc.record({
    names: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }),
    expect: fc.oneof(
      fc.constantFrom('absent' as const, 'any' as const),
      fc.integer({ min: 1, max: 4 }).map((revision) => ({ revision })),
    ),
    revision: fc.integer({ min: 1, max: 4 }),
    table: fc.constantFrom('secret' as const, 'policy' as const),
    gone: fc.boolean(),
    pause: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const { ledger, vault, store, ...made } = await openFixture();
      const running = steps.map(async ({ names, expect, revision, table, gone, pause }, i) => {
        if (pause) await new Promise(setImmediate);
        const ops = names.map((name): Op => {
          if (gone) return { kind: 'delete', table, key: vault.key(table, ['t', name]), expect };
          return put(vault, name, revision, expect, table);
        });
        const from = store.committed.length;
        const won = await ledger.commit(ops, { record: draft(String(i)) }).then(
          () => true,
          (thrown: unknown) => {
            assert.ok(hasCode('entity_version_conflict')(thrown));
            return false;
          },
        );
        return { ops, won, from, to: store.committed.length };
      });
      const done = await Promise.all(running);

      // The model: every committed operation, one after the other, each with its expectation true at its moment.
      const rows = new Map<string, Row>();
      const history: { batch: number; rows: Map<string, Row> }[] = [{ batch: 0, rows: new Map() }];
      const holds = (op: Op, at: ReadonlyMap<string, Row>): boolean => {
        if (op.kind === 'head' || op.expect === 'any') return true;
        const now = at.get(rowId(op.table, op.kind === 'put' ? op.row.key : op.key));
        return op.expect === 'absent' ? now === undefined : now?.revision === op.expect.revision;
      };
      store.committed.forEach((ops, batch) => {
        for (const op of ops) {
          if (op.kind === 'head' || op.table === 'state' || op.table === 'outbox') continue;
          assert.ok(holds(op, rows));
          if (op.kind === 'put') rows.set(rowId(op.table, op.row.key), op.row);
          else rows.delete(rowId(op.table, op.key));
          history.push({ batch: batch + 1, rows: new Map(rows) });
        }
      });
      const committed = new Set(store.committed.flat());
      for (const { ops, won, from, to } of done) {
        assert.ok(ops.every((op) => committed.has(op) === won));
        const meanwhile = history.filter(({ batch }, i) => {
          const next = history[i + 1];
          return (batch >= from || next === undefined || next.batch > from) && batch <= to;
        });
        if (!won) assert.ok(meanwhile.some((at) => ops.some((op) => !holds(op, at.rows))));
      }

      for (const table of ['secret', 'policy'] as const) {
        for (const name of ['a', 'b', 'c']) {
          const key = vault.key(table, ['t', name]);
          const row = await ledger.get(table, key);
          assert.deepEqual(hex(row), hex(rows.get(rowId(table, key))));
        }
      }
      assert.equal(ledger.revision, 1 + store.committed.length);
      const again = await openTestLedger({ ...made, store });
      const trails = done.flatMap(({ won }, i) => (won ? [String(i)] : []));
      assert.deepEqual(new Set(again.pendingOutbox().map((record) => record.trail)), new Set(trails));
    }),
    { numRuns: 60 },
  );
});

test('records leave the outbox when the file is synced behind them, and not before', async () => {
  const { ledger, vault, store, audit } = await openFixture();
  const trails = async (): Promise<string[]> =>
    (await readOutbox(vault, store)).flatMap(({ drafts }) => drafts.map((record) => record.trail));
  for (const [i, trail] of ['t0', 't1', 't2'].entries()) {
    await ledger.commit([put(vault, trail, 1, 'absent')], { record: draft(trail) });
    ledger.recorded(trail, i);
  }
  ledger.recorded('a read', 3);
  assert.deepEqual(await trails(), ['t0', 't1', 't2']);
  audit.syncedSize = 2;
  await ledger.commit([put(vault, 'x', 1, 'absent')]);
  assert.deepEqual(await trails(), ['t2']);
  audit.syncedSize = 3;
  store.faults.push('before');
  await assert.rejects(ledger.commit([put(vault, 'y', 1, 'absent')]));
  assert.deepEqual(await trails(), ['t2']);
  await ledger.commit([put(vault, 'y', 1, 'absent')]);
  assert.deepEqual(await trails(), []);
  await ledger.commit([put(vault, 'z', 1, 'absent')]);
  assert.ok(store.committed.at(-1)?.every((op) => op.kind === 'put'));
});

test('the state record names the first place in the file of what is left in the outbox', async () => {
  const { ledger, vault, audit } = await openFixture();
  // More rows than one transaction takes out of the outbox, so a transaction for each.
  const most = 1000;
  const names = Array.from({ length: most + 5 }, (_, i) => `t${i}`);
  for (const name of names) await ledger.commit([put(vault, name, 1, 'absent')], { record: draft(name) });
  assert.equal(ledger.state.outboxFrom, 0);
  for (const [i, name] of names.entries()) ledger.recorded(name, 10 + i);
  audit.syncedSize = 5000;
  await ledger.commit([put(vault, 'next', 1, 'absent')]);
  assert.deepEqual([ledger.state.auditSize, ledger.state.outboxFrom], [5000, 10 + most]);
  await ledger.commit([put(vault, 'last', 1, 'absent')]);
  assert.deepEqual([ledger.state.auditSize, ledger.state.outboxFrom], [5000, 5000]);
});

test('a request that wrote twice has two records in the outbox, and both leave it', async () => {
  const { ledger, vault, store, audit } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')], { record: draft('t1') });
  await ledger.commit([put(vault, 'a', 2, { revision: 1 })], { record: draft('t1') });
  assert.equal((await readOutbox(vault, store)).length, 2);
  ledger.recorded('t1', 0);
  audit.syncedSize = 1;
  await ledger.commit([put(vault, 'b', 1, 'absent')]);
  assert.deepEqual(await readOutbox(vault, store), []);
});

test('the records of one transaction leave together, when the file is synced behind the last of them', async () => {
  const { ledger, vault, store, audit } = await openFixture();
  const commit = (name: string): Promise<void> =>
    ledger.commit([put(vault, name, 1, 'absent')], { record: draft(`of ${name}`) });
  const rows = async (): Promise<string[][]> =>
    (await readOutbox(vault, store)).map(({ drafts }) => drafts.map(({ trail }) => trail));
  const outboxFrom = async (): Promise<number> => {
    await ledger.commit([put(vault, String(ledger.revision), 1, 'absent')]);
    return ledger.state.outboxFrom;
  };
  await Promise.all(['a', 'b', 'c'].map(commit));
  assert.deepEqual(await rows(), [['of a', 'of b', 'of c']]);
  ledger.recorded('of b', 4);
  ledger.recorded('of a', 7);
  audit.syncedSize = 20;
  assert.equal(await outboxFrom(), 4);
  assert.equal((await rows()).length, 1);
  ledger.recorded('of c', 30);
  assert.equal(await outboxFrom(), 4);
  assert.equal((await rows()).length, 1);
  audit.syncedSize = 31;
  assert.equal(await outboxFrom(), 31);
  assert.deepEqual(await rows(), []);
});

test('records that are too many for one row lie in several, in order', async () => {
  const { ledger, vault, store } = await openFixture();
  const trails = Array.from({ length: 9 }, (_, index) => `t${index}`);
  await Promise.all(
    trails.map((trail) =>
      ledger.commit([put(vault, trail, 1, 'absent')], {
        record: { trail, record: JSON.stringify('x'.repeat(90_000)) },
      }),
    ),
  );
  const found = await readOutbox(vault, store);
  assert.deepEqual(
    found.map(({ drafts }) => drafts.length),
    [3, 3, 3],
  );
  assert.deepEqual(
    found.flatMap(({ drafts }) => drafts.map(({ trail }) => trail)),
    trails,
  );
});

test('what is pending in the outbox is there in order after a restart, and leaves it when the file has it', async () => {
  const { ledger, vault, audit, ...made } = await openFixture();
  await Promise.all(
    ['t1', 't2'].map((trail) => ledger.commit([put(vault, trail, 1, 'absent')], { record: draft(trail) })),
  );
  await ledger.commit([put(vault, 't3', 1, 'absent')], { record: draft('t3') });
  const again = await openTestLedger({ ...made, audit });
  const pending = again.pendingOutbox();
  assert.deepEqual(
    pending.map(({ trail, record }) => ({ trail, record })),
    ['t1', 't2', 't3'].map(draft),
  );
  pending.forEach((record, i) => {
    again.recorded(record.trail, i);
  });
  audit.syncedSize = 3;
  await again.commit([put(vault, 'x', 1, 'absent')]);
  assert.deepEqual(await readOutbox(vault, made.store), []);
});

test('the record of the ceremony itself waits in the outbox', async () => {
  const made = await createTestInstance(openMemoryStore(), draft('b1'));
  const ledger = await openTestLedger(made);
  assert.deepEqual(
    ledger.pendingOutbox().map((record) => record.trail),
    ['b1'],
  );
});

test('a ledger that is disposed finishes what it took and takes nothing more', async () => {
  const { ledger, vault, store } = await openFixture();
  const release = hold(store);
  const running = ledger.commit([put(vault, 'a', 1, 'absent')]);
  const disposed = ledger[Symbol.asyncDispose]();
  await assert.rejects(ledger.commit([put(vault, 'b', 1, 'absent')]), hasCode('store_failed'));
  release();
  await Promise.all([running, disposed, ledger[Symbol.asyncDispose]()]);
  assert.equal(store.committed.length, 1);
});

test('each commit notes the anchor, so that the file gets the newest', async () => {
  const { ledger: unused, vault, store, ...made } = await openFixture();
  await unused[Symbol.asyncDispose]();
  const makes: (() => string)[] = [];
  const anchorFile = { note: (make: () => string) => void makes.push(make) };
  const ledger = await openTestLedger({ ...made, store }, { anchorFile });
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  await ledger.commit([put(vault, 'b', 1, 'absent')]);
  assert.equal(makes.length, 3);
  assert.match(makes.at(-1)?.() ?? '', /"revision":3/);
});
