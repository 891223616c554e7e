import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openMemoryStore, type Expect, type Op, type Row, type Store, type Table } from '@spike/store';
import { toSealed } from '@spike/store/seal';
import fc from 'fast-check';

import { encodeHead } from './head.ts';
import { OpenInstance } from './instance.ts';
import type { GroupLedger } from './ledger.ts';
import { readOutbox } from './outbox.ts';
import type { AuditDraft, Vault } from './port.ts';
import { rowId } from './row-reader.ts';
import { stateKey } from './state.ts';
import { FaultyStore } from './testing/faulty-store.ts';
import { createTestInstance, hasCode, openTestLedger, type TestInstance } from './testing/instance.ts';

interface Fixture extends TestInstance {
  readonly store: FaultyStore;
  readonly ledger: GroupLedger;
  readonly vault: Vault;
}

async function openFixture(): Promise<Fixture> {
  const made = await createTestInstance(new FaultyStore(openMemoryStore()));
  const { store } = made;
  assert.ok(store instanceof FaultyStore);
  store.committed.length = 0;
  return { ...made, store, ledger: await openTestLedger(made), vault: made.instance.vault };
}

function put(vault: Vault, name: string, revision: number, expect: Expect, table: Table = 'secret'): Op {
  const key = vault.key(table, ['t', name]);
  const row = vault.seal(table, key, { revision, version: 0, field: 0 }, Buffer.from(`${name}@${revision}`));
  return { kind: 'put', table, row, expect };
}

const draft = (trail: string): AuditDraft => ({
  trail,
  record: JSON.stringify({ trail, action: 'secret.put' }),
});
const hex = (row: Row | undefined): string => Buffer.from(row?.nonce ?? []).toString('hex');
const keyOf = (vault: Vault, name: string): Uint8Array => vault.key('secret', ['t', name]);

/** Holds commits up, so that what is asked for meanwhile becomes one batch. */
function hold(store: FaultyStore): () => void {
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  return () => {
    store.gate = undefined;
    gate.resolve();
  };
}

test('what was committed is read, after a restart too', async () => {
  const { ledger, vault, ...made } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')], draft('t1'));
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
    ledger.commit([put(vault, 'a', 1, 'absent')], draft('t1')),
    ledger.commit([put(vault, 'x', 1, 'absent'), put(vault, 'b', 2, { revision: 1 })], draft('t2')),
    ledger.commit([put(vault, 'c', 1, 'absent')], draft('t3')),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.ok(results[1]?.status === 'rejected' && conflict(results[1].reason));
  assert.equal(await ledger.get('secret', keyOf(vault, 'x')), undefined);
  const trails = (await readOutbox(vault, store)).map((record) => record.trail);
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
        const won = await ledger.commit(ops, draft(String(i))).then(
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

test('a store that fails refuses the whole batch, and the next one goes through', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  store.faults.push('before');
  const results = await Promise.allSettled([
    ledger.commit([put(vault, 'a', 2, { revision: 1 })]),
    ledger.commit([put(vault, 'p', 1, 'absent', 'policy')]),
  ]);
  for (const result of results) {
    assert.ok(result.status === 'rejected' && hasCode('store_failed')(result.reason));
    assert.equal((result.reason as { detail: { outcome: string } }).detail.outcome, 'none');
  }
  assert.equal((await ledger.get('secret', keyOf(vault, 'a')))?.revision, 1);
  await ledger.commit([put(vault, 'a', 2, { revision: 1 }), put(vault, 'p', 1, 'absent', 'policy')]);
  assert.equal((await ledger.get('secret', keyOf(vault, 'a')))?.revision, 2);
  assert.equal((await openTestLedger({ ...made, store })).revision, 3);
});

test('a commit whose answer was lost counts as committed when the store says so', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  store.faults.push('after');
  await ledger.commit([put(vault, 'a', 1, 'absent'), put(vault, 'p', 1, 'absent', 'policy')], draft('t1'));
  await ledger.commit([put(vault, 'a', 2, { revision: 1 })], draft('t2'));
  assert.equal(ledger.revision, 3);
  const again = await openTestLedger({ ...made, store });
  assert.deepEqual(
    again.pendingOutbox().map((record) => record.trail),
    ['t1', 't2'],
  );
});

test('an outcome that nobody can tell is said to be unknown, and its record is not lost', async () => {
  for (const fault of ['before', 'after'] as const) {
    const { ledger: unused, vault, store, ...made } = await openFixture();
    await unused[Symbol.asyncDispose]();
    const late: AuditDraft[] = [];
    const ledger = await openTestLedger({ ...made, store }, { late: (record) => late.push(record) });
    store.faults.push(fault);
    store.failingReads = 2;
    await assert.rejects(ledger.commit([put(vault, 'p', 1, 'absent', 'policy')], draft('t1')), (thrown) => {
      assert.ok(hasCode('store_failed')(thrown));
      assert.equal((thrown as { detail: { outcome: string } }).detail.outcome, 'unknown');
      return true;
    });
    const refused = ledger.commit([put(vault, 'q', 1, 'absent', 'policy')]);
    await assert.rejects(refused, hasCode('store_failed'));
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

test('records leave the outbox when the file is synced behind them, and not before', async () => {
  const { ledger, vault, store, audit } = await openFixture();
  const trails = async (): Promise<string[]> =>
    (await readOutbox(vault, store)).map((record) => record.trail);
  for (const [i, trail] of ['t0', 't1', 't2'].entries()) {
    await ledger.commit([put(vault, trail, 1, 'absent')], draft(trail));
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
});

test('what is pending in the outbox is there in order after a restart, and leaves it when the file has it', async () => {
  const { ledger, vault, audit, ...made } = await openFixture();
  await Promise.all(
    ['t1', 't2'].map((trail) => ledger.commit([put(vault, trail, 1, 'absent')], draft(trail))),
  );
  await ledger.commit([put(vault, 't3', 1, 'absent')], draft('t3'));
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

test('the state record holds the audit as it was synced when the record was made', async () => {
  const { ledger, vault, audit, ...made } = await openFixture();
  audit.syncedSize = 7;
  audit.syncedRoot = Buffer.alloc(32, 7);
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  audit.syncedSize = 9;
  const { state } = await openTestLedger({ ...made, audit });
  assert.equal(state.auditSize, 7);
  assert.deepEqual(Buffer.from(state.auditRoot), Buffer.alloc(32, 7));
  assert.ok(made.instance.anchors.verify(ledger.anchor()));
  assert.equal(ledger.anchor().auditSize, 7);
});

test('an older copy of the store is refused by its anchor, until it is accepted', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  const copy = await copyOf(store, made.instance.vault);
  await ledger.commit([put(vault, 'a', 2, { revision: 1 })]);
  const anchors = [ledger.anchor()];
  await openTestLedger({ ...made, store }, { anchors });
  await assert.rejects(openTestLedger({ ...made, store: copy }, { anchors }), hasCode('store_integrity'));
  await openTestLedger({ ...made, store: copy }, { anchors, accepted: made.instance.instance });
});

test('a policy that was put back, taken away or added behind our back is found at the start', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  const older = put(vault, 'p', 1, 'absent', 'policy');
  await ledger.commit([older]);
  const newer = put(vault, 'p', 2, { revision: 1 }, 'policy');
  await ledger.commit([newer]);
  const check = (): Promise<GroupLedger> => openTestLedger({ ...made, store });
  await check();
  assert.ok(older.kind === 'put' && newer.kind === 'put');
  const tampering: Op[] = [
    { ...older, expect: 'any' },
    { kind: 'delete', table: 'policy', key: newer.row.key, expect: 'any' },
    put(vault, 'other', 1, 'any', 'policy'),
  ];
  for (const op of tampering) {
    await store.inner.commit([op]);
    await assert.rejects(check(), hasCode('store_integrity'));
    const other = vault.key('policy', ['t', 'other']);
    await store.inner.commit([
      { ...newer, expect: 'any' },
      { kind: 'delete', table: 'policy', key: other, expect: 'any' },
    ]);
    await check();
  }
});

test('a state record or a head that is missing, older or of another system is refused', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  const key = stateKey(vault);
  const older = await store.get('state', key);
  assert.ok(older);
  await ledger.commit([put(vault, 'p', 1, 'absent', 'policy')]);
  const newer = await store.get('state', key);
  assert.ok(newer);
  const check = (): Promise<GroupLedger> => openTestLedger({ ...made, store });
  await store.inner.commit([{ kind: 'put', table: 'state', row: older, expect: 'any' }]);
  await assert.rejects(check(), hasCode('store_integrity'));
  await store.inner.commit([{ kind: 'put', table: 'state', row: { ...older, revision: 2 }, expect: 'any' }]);
  await assert.rejects(check(), hasCode('store_integrity'));
  await store.inner.commit([{ kind: 'delete', table: 'state', key, expect: 'any' }]);
  await assert.rejects(check(), hasCode('store_integrity'));
  await store.inner.commit([{ kind: 'put', table: 'state', row: newer, expect: 'any' }]);
  await check();
  const other = await createTestInstance();
  await assert.rejects(
    openTestLedger({ ...made, store, instance: other.instance }),
    hasCode('store_integrity'),
  );
});

test('a head that changes is bound to the state record of its transaction', async () => {
  const { ledger, vault, store, instance, ...made } = await openFixture();
  const head = { ...instance.head, splits: instance.head.splits.toReversed() };
  const bytes = encodeHead(head);
  await ledger.commit([{ kind: 'head', bytes, revision: 2, expect: { revision: 1 } }]);
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  await assert.rejects(openTestLedger({ ...made, store, instance }), hasCode('store_integrity'));

  await openTestLedger({ ...made, store, instance: OpenInstance.open(made.rootKey, bytes) });
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

test('a stolen store shows no byte of a path, a value, a policy name or a trail', async () => {
  const { ledger, vault, store } = await openFixture();
  const words = [
    'acme-corporation',
    'database-password',
    'hunter2-hunter2',
    'policy-of-billing',
    'trail-0123456789',
  ];
  for (const table of ['secret', 'policy'] as const) {
    const key = vault.key(table, words.slice(0, 2));
    const row = vault.seal(table, key, { revision: 1, version: 0, field: 0 }, Buffer.from(words.join(' ')));
    await ledger.commit([{ kind: 'put', table, row, expect: 'absent' }], {
      trail: 'trail-0123456789',
      record: JSON.stringify(words),
    });
  }
  const head = await store.head();
  const rows = await Promise.all(
    (['secret', 'policy', 'outbox', 'state'] as const).map((table) =>
      store.list(table, new Uint8Array(), { limit: 100 }),
    ),
  );
  const all = rows.flat();
  assert.equal(all.length, 5);
  const stolen = Buffer.concat(
    [head?.bytes ?? [], ...all.flatMap(({ key, nonce, body }) => [key, nonce, body])].map((bytes) =>
      Buffer.from(bytes),
    ),
  );
  for (const word of words) assert.ok(!stolen.includes(word), word);
});

async function copyOf(store: Store, vault: Vault): Promise<Store> {
  const copy = openMemoryStore();
  const head = await store.head();
  const state = await store.get('state', stateKey(vault));
  assert.ok(head && state);
  const ops: Op[] = [
    { kind: 'head', ...head, expect: 'absent' },
    { kind: 'put', table: 'state', row: state, expect: 'absent' },
  ];
  for (const row of await store.list('secret', new Uint8Array(), { limit: 100 })) {
    ops.push({ kind: 'put', table: 'secret', row, expect: 'absent' });
  }
  await copy.commit(ops);
  return copy;
}
