import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SpikeError, type ErrorCode } from '@spike/error';
import fc from 'fast-check';
import { toSealed } from './seal.ts';
import {
  maxBodyBytes,
  maxCommitOps,
  maxKeyBytes,
  maxListRows,
  maxNonceBytes,
  tables,
  type ListOptions,
  type Op,
  type Row,
  type Snapshot,
  type Store,
  type Table,
} from './store.ts';
import { applyToModel, opArbitrary, readModel, type Model } from './model.ts';

export { FailingStore, type Failing } from './failing.ts';

/** A row for tests; what is not given is small and constant. */
export function makeRow(key: Uint8Array | string, part: Partial<Row> = {}): Row {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  return {
    key: Uint8Array.from(bytes),
    format: 1,
    suite: 1,
    term: 1,
    revision: 1,
    version: 0,
    field: 0,
    nonce: new Uint8Array(24).fill(7),
    body: toSealed(new Uint8Array([1, 2, 3])),
    ...part,
  };
}

export function makePut(key: string, part: Partial<Row> = {}, expect: Op['expect'] = 'any'): Op {
  return { kind: 'put', table: 'secret', row: makeRow(key, part), expect };
}

export function isSpikeError(code: ErrorCode): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof SpikeError && thrown.code === code;
}

/** What every driver promises. `open` gives an empty store each time, `runs` times for the property; the suite closes it. */
export function testStore(name: string, runs: number, open: () => Promise<Store>): void {
  describe(`${name}: the contract of a store`, () => {
    testReading(open);
    testWriting(open);
    testLimits(open);
    testSnapshot(open);
    testProperty(runs, open);
    testClosing(open);
  });
}

function testReading(open: () => Promise<Store>): void {
  test('an empty store answers nothing', async () => {
    await using store = await open();
    assert.equal(await store.head(), undefined);
    for (const table of tables) {
      assert.equal(await store.get(table, key('a')), undefined);
      assert.deepEqual(await store.list(table, new Uint8Array(), { limit: 10 }), []);
    }
    assert.equal((await store.health()).ok, true);
    assert.deepEqual((await store.verify(AbortSignal.timeout(10_000))).problems, []);
  });

  test('a row comes back with every field as it was put, in its own table only', async () => {
    await using store = await open();
    const row = makeRow('k', {
      format: 2,
      suite: 3,
      term: 4_294_967_296,
      revision: Number.MAX_SAFE_INTEGER,
      version: Number.MAX_SAFE_INTEGER - 1,
      field: 6,
      nonce: new Uint8Array(),
      body: toSealed(Uint8Array.from({ length: 256 }, (_, index) => index)),
    });
    for (const table of tables) {
      assert.deepEqual(await store.commit([{ kind: 'put', table, row, expect: 'absent' }]), { ok: true });
      assert.deepEqual(plain(await store.get(table, row.key)), plain(row));
      assert.deepEqual((await store.list(table, new Uint8Array(), { limit: 2 })).map(plain), [plain(row)]);
    }
    assert.deepEqual(await store.commit([{ kind: 'delete', table: 'policy', key: row.key, expect: 'any' }]), {
      ok: true,
    });
    assert.equal(await store.get('policy', row.key), undefined);
    assert.notEqual(await store.get('secret', row.key), undefined);
  });

  test('a list is ordered by the bytes of the key, keeps to its prefix and goes on behind its cursor', async () => {
    await using store = await open();
    const keys = [
      [0],
      [1],
      [1, 0],
      [1, 0, 255],
      [1, 1],
      [1, 255],
      [1, 255, 255],
      [2],
      [255],
      [255, 255],
      [255, 255, 0],
    ];
    const rows = keys.toReversed().map((bytes) => makeRow(Uint8Array.from(bytes)));
    await store.commit(rows.map((row): Op => ({ kind: 'put', table: 'secret', row, expect: 'any' })));
    const list = async (prefix: number[], after?: number[], limit = 100): Promise<number[][]> => {
      const cursor = after === undefined ? {} : { after: Uint8Array.from(after) };
      const found = await store.list('secret', Uint8Array.from(prefix), { limit, ...cursor });
      return found.map((row) => [...row.key]);
    };
    assert.deepEqual(await list([]), keys);
    assert.deepEqual(await list([1]), keys.slice(1, 7));
    assert.deepEqual(await list([1, 255]), keys.slice(5, 7));
    assert.deepEqual(await list([255]), keys.slice(8));
    assert.deepEqual(await list([255, 255]), keys.slice(9));
    assert.deepEqual(await list([3]), []);
    assert.deepEqual(await list([1], [1, 0]), keys.slice(3, 7));
    assert.deepEqual(await list([1], [1, 0, 7]), keys.slice(3, 7), 'a cursor need not exist');
    assert.deepEqual(await list([1], [0]), keys.slice(1, 7), 'a cursor before the prefix is its start');
    assert.deepEqual(await list([1], [2]), [], 'a cursor behind the prefix is its end');
    assert.deepEqual(await list([255], [255, 255, 0]), []);
    assert.deepEqual(await list([], undefined, 3), keys.slice(0, 3));
    assert.deepEqual(await list([], [1, 0], 2), keys.slice(3, 5));
    const prefix = Buffer.of(1, 0);
    assert.equal((await store.list('secret', prefix, { limit: 9, after: prefix })).length, 1);
    assert.deepEqual([...prefix], [1, 0], 'a Buffer is not written to');
  });

  test('what the caller does with its bytes afterwards changes nothing in the store', async () => {
    await using store = await open();
    const row = makeRow('k');
    const head = new Uint8Array([1, 2, 3]);
    const committed = store.commit([
      { kind: 'put', table: 'secret', row, expect: 'any' },
      { kind: 'head', bytes: head, revision: 1, expect: 'any' },
    ]);
    row.body.fill(0);
    row.key.fill(0);
    head.fill(0);
    await committed;
    const found = await store.get('secret', key('k'));
    assert.deepEqual([...(found?.body ?? [])], [1, 2, 3]);
    found?.body.fill(9);
    assert.deepEqual([...((await store.get('secret', key('k')))?.body ?? [])], [1, 2, 3]);
    assert.deepEqual([...((await store.head())?.bytes ?? [])], [1, 2, 3]);
  });
}

function testWriting(open: () => Promise<Store>): void {
  test('a put holds to what it expects', async () => {
    await using store = await open();
    assert.deepEqual(await store.commit([makePut('k', {}, { revision: 1 })]), { ok: false, conflict: 0 });
    assert.deepEqual(await store.commit([makePut('k', { revision: 1 }, 'absent')]), { ok: true });
    assert.deepEqual(await store.commit([makePut('k', { revision: 2 }, 'absent')]), {
      ok: false,
      conflict: 0,
    });
    assert.deepEqual(await store.commit([makePut('k', { revision: 2 }, { revision: 7 })]), {
      ok: false,
      conflict: 0,
    });
    assert.equal((await store.get('secret', key('k')))?.revision, 1);
    assert.deepEqual(await store.commit([makePut('k', { revision: 2 }, { revision: 1 })]), { ok: true });
    assert.deepEqual(await store.commit([makePut('k', { revision: 9 }, 'any')]), { ok: true });
    assert.equal((await store.get('secret', key('k')))?.revision, 9);
  });

  test('a delete holds to what it expects', async () => {
    await using store = await open();
    const remove = (expect: Op['expect']): Op => ({ kind: 'delete', table: 'secret', key: key('k'), expect });
    assert.deepEqual(await store.commit([remove({ revision: 1 })]), { ok: false, conflict: 0 });
    assert.deepEqual(await store.commit([remove('absent')]), { ok: true });
    assert.deepEqual(await store.commit([remove('any')]), { ok: true });
    await store.commit([makePut('k', { revision: 4 })]);
    assert.deepEqual(await store.commit([remove('absent')]), { ok: false, conflict: 0 });
    assert.deepEqual(await store.commit([remove({ revision: 3 })]), { ok: false, conflict: 0 });
    assert.notEqual(await store.get('secret', key('k')), undefined);
    assert.deepEqual(await store.commit([remove({ revision: 4 })]), { ok: true });
    assert.equal(await store.get('secret', key('k')), undefined);
  });

  test('the head holds to what it expects', async () => {
    await using store = await open();
    const put = (revision: number, expect: Op['expect']): Op => ({
      kind: 'head',
      bytes: Uint8Array.of(revision),
      revision,
      expect,
    });
    assert.deepEqual(await store.commit([put(1, { revision: 0 })]), { ok: false, conflict: 0 });
    assert.deepEqual(await store.commit([put(1, 'absent')]), { ok: true });
    assert.deepEqual(await store.commit([put(2, 'absent')]), { ok: false, conflict: 0 });
    assert.deepEqual(await store.commit([put(2, { revision: 1 })]), { ok: true });
    assert.deepEqual(await store.commit([put(3, 'any')]), { ok: true });
    const head = await store.head();
    assert.deepEqual([head?.revision, [...(head?.bytes ?? [])]], [3, [3]]);
  });

  test('a conflict names the first operation that failed, and nothing of the commit is written', async () => {
    await using store = await open();
    await store.commit([makePut('old', { revision: 5 })]);
    const ops: Op[] = [
      makePut('new', {}, 'absent'),
      { kind: 'head', bytes: new Uint8Array(1), revision: 1, expect: 'absent' },
      { kind: 'delete', table: 'secret', key: key('old'), expect: { revision: 5 } },
      makePut('other', {}, { revision: 1 }),
      makePut('another', {}, { revision: 1 }),
    ];
    assert.deepEqual(await store.commit(ops), { ok: false, conflict: 3 });
    assert.equal(await store.get('secret', key('new')), undefined);
    assert.equal(await store.head(), undefined);
    assert.equal((await store.get('secret', key('old')))?.revision, 5);
  });

  test('an operation sees what the ones before it in the same commit wrote', async () => {
    await using store = await open();
    const ops: Op[] = [
      makePut('k', { revision: 1 }, 'absent'),
      makePut('k', { revision: 2 }, { revision: 1 }),
      { kind: 'delete', table: 'secret', key: key('k'), expect: { revision: 2 } },
      makePut('k', { revision: 3 }, 'absent'),
    ];
    assert.deepEqual(await store.commit(ops), { ok: true });
    assert.equal((await store.get('secret', key('k')))?.revision, 3);
    assert.deepEqual(await store.commit([]), { ok: true });
  });

  test('of many commits at once that expect the same revision one wins, and others are not disturbed', async () => {
    await using store = await open();
    await store.commit([makePut('shared', { revision: 0 })]);
    const results = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => [
        await store.commit([makePut('shared', { revision: index + 1 }, { revision: 0 })]),
        await store.commit([makePut(`own ${index}`, { revision: index })]),
      ]),
    );
    assert.equal(results.filter(([shared]) => shared?.ok === true).length, 1);
    assert.ok(results.every(([, own]) => own?.ok === true));
    const winner = results.findIndex(([shared]) => shared?.ok === true);
    assert.equal((await store.get('secret', key('shared')))?.revision, winner + 1);
    assert.equal((await store.list('secret', key('own '), { limit: 1_000 })).length, 100);
  });

  test('a read that starts after a commit has resolved sees it', async () => {
    await using store = await open();
    for (let revision = 1; revision <= 50; revision++) {
      await store.commit([makePut('k', { revision })]);
      assert.equal((await store.get('secret', key('k')))?.revision, revision);
    }
  });
}

function testLimits(open: () => Promise<Store>): void {
  test('rows as large as the limits are kept, and larger ones are refused', async () => {
    await using store = await open();
    const row = makeRow(new Uint8Array(maxKeyBytes).fill(0xff), {
      nonce: new Uint8Array(maxNonceBytes).fill(1),
      body: toSealed(Buffer.alloc(1.5 * 1024 * 1024, 'sealed')),
    });
    await store.commit([{ kind: 'put', table: 'secret', row, expect: 'absent' }]);
    assert.deepEqual(plain(await store.get('secret', row.key)), plain(row));
    assert.equal((await store.list('secret', row.key, { limit: 1 })).length, 1);
    const refused: Op[] = [
      { kind: 'put', table: 'secret', row: makeRow(new Uint8Array(maxKeyBytes + 1)), expect: 'any' },
      { kind: 'put', table: 'secret', row: makeRow(new Uint8Array()), expect: 'any' },
      makePut('k', { nonce: new Uint8Array(maxNonceBytes + 1) }),
      makePut('k', { body: toSealed(new Uint8Array(maxBodyBytes + 1)) }),
      makePut('k', { revision: -1 }),
      makePut('k', { version: 1.5 }),
      makePut('k', { term: Number.MAX_SAFE_INTEGER + 1 }),
      makePut('k', {}, { revision: Number.NaN }),
      { kind: 'delete', table: 'secret', key: new Uint8Array(), expect: 'any' },
    ];
    for (const op of refused) {
      await assert.rejects(store.commit([makePut('before'), op]), isSpikeError('data_invalid_input'));
    }
    const many = Array.from({ length: maxCommitOps + 1 }, () => makePut('k'));
    await assert.rejects(store.commit(many), isSpikeError('data_invalid_input'));
    assert.equal(await store.get('secret', key('before')), undefined);
  });

  test('a list keeps to its limits', async () => {
    await using store = await open();
    for (const limit of [0, -1, 1.5, Number.NaN, maxListRows + 1]) {
      await assert.rejects(store.list('secret', key('a'), { limit }), isSpikeError('data_invalid_input'));
    }
    const long = new Uint8Array(maxKeyBytes + 1);
    await assert.rejects(store.list('secret', long, { limit: 1 }), isSpikeError('data_invalid_input'));
    await assert.rejects(
      store.list('secret', key('a'), { limit: 1, after: long }),
      isSpikeError('data_invalid_input'),
    );
    assert.deepEqual(await store.list('secret', key('a'), { limit: maxListRows }), []);
  });

  test('a list ends with the row that fills it, and has one at least', async () => {
    await using store = await open();
    for (const name of ['a', 'b', 'c', 'd'])
      await store.commit([makePut(name, { body: toSealed(new Uint8Array(1_000)) })]);
    const list = async (bytes: number, after?: string) => {
      const cursor = after === undefined ? {} : { after: key(after) };
      const rows = await store.list('secret', new Uint8Array(), { limit: 10, bytes, ...cursor });
      return rows.map((row) => Buffer.from(row.key).toString());
    };
    assert.deepEqual(await list(1), ['a']);
    assert.deepEqual(await list(1_500), ['a', 'b']);
    assert.deepEqual(await list(1_500, 'b'), ['c', 'd']);
    assert.deepEqual(await list(1_500, 'd'), []);
    await assert.rejects(list(0), isSpikeError('data_invalid_input'));
    // One that ended early keeps no transaction open.
    await store.commit([makePut('e')]);
    assert.deepEqual(await list(1_000_000), ['a', 'b', 'c', 'd', 'e']);
  });
}

function testSnapshot(open: () => Promise<Store>): void {
  const signal = AbortSignal.timeout(60_000);
  const readAll = async (snapshot: Snapshot, table: Table, page: ListOptions): Promise<readonly Row[]> => {
    const rows: Row[] = [];
    for (;;) {
      const after = rows.at(-1)?.key;
      const found = await snapshot.rows(table, { ...page, ...(after === undefined ? {} : { after }) });
      rows.push(...found);
      if (found.length === 0) return rows;
    }
  };

  test('a snapshot stays as the store was, in every table and the head, however much is written', async () => {
    await using store = await open();
    await store.commit([
      { kind: 'head', bytes: Uint8Array.of(1), revision: 1, expect: 'absent' },
      ...tables.map((table): Op => ({ kind: 'put', table, row: makeRow('kept'), expect: 'absent' })),
      ...Array.from({ length: 50 }, (_, index) => makePut(`k${index + 10}`)),
    ]);
    const before = await store.list('secret', new Uint8Array(), { limit: 1_000 });
    await using snapshot = await store.snapshot(signal);
    const writing = Promise.all(
      Array.from({ length: 50 }, async (_, index) =>
        store.commit([
          makePut(`k${index + 10}`, { revision: 2 }),
          makePut(`new ${index}`),
          { kind: 'head', bytes: Uint8Array.of(2), revision: 2, expect: 'any' },
          { kind: 'delete', table: 'policy', key: key('kept'), expect: 'any' },
        ]),
      ),
    );
    const during = await readAll(snapshot, 'secret', { limit: 7 });
    await writing;
    const after = await readAll(snapshot, 'secret', { limit: 1_000 });
    for (const found of [during, after]) assert.deepEqual(found.map(plain), before.map(plain));
    assert.deepEqual([snapshot.head?.revision, [...(snapshot.head?.bytes ?? [])]], [1, [1]]);
    for (const table of tables) assert.notEqual((await snapshot.rows(table, { limit: 1 })).length, 0);
    assert.equal(await store.get('policy', key('kept')), undefined);
    assert.equal((await store.head())?.revision, 2);
  });

  test('a page of a snapshot ends with the row that fills it, and has one at least', async () => {
    await using store = await open();
    const body = toSealed(new Uint8Array(1_000));
    await store.commit(Array.from({ length: 9 }, (_, index) => makePut(`k${index}`, { body })));
    await using snapshot = await store.snapshot(signal);
    assert.equal((await snapshot.rows('secret', { limit: 100, bytes: 1 })).length, 1);
    assert.equal((await snapshot.rows('secret', { limit: 100, bytes: 3_000 })).length, 3);
    assert.equal((await snapshot.rows('secret', { limit: 2, bytes: 3_000 })).length, 2);
    assert.equal((await readAll(snapshot, 'secret', { limit: 100, bytes: 2_500 })).length, 9);
    const [row] = await snapshot.rows('secret', { limit: 1 });
    row?.body.fill(9);
    assert.equal((await snapshot.rows('secret', { limit: 1 }))[0]?.body[0], 0, 'it answers copies');
    for (const page of [{ limit: 0 }, { limit: maxListRows + 1 }, { limit: 1, bytes: 0 }]) {
      await assert.rejects(snapshot.rows('secret', page), isSpikeError('data_invalid_input'));
    }
  });

  test('there is one snapshot at a time, and it is over with its disposal, its signal or the store', async () => {
    const store = await open();
    const over = async (snapshot: Snapshot): Promise<void> =>
      assert.rejects(snapshot.rows('secret', { limit: 1 }), isSpikeError('store_failed'));
    const first = await store.snapshot(signal);
    await assert.rejects(store.snapshot(signal), isSpikeError('limit_exceeded'));
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    await over(first);
    const controller = new AbortController();
    const second = await store.snapshot(controller.signal);
    controller.abort();
    await over(second);
    await assert.rejects(store.snapshot(AbortSignal.abort()), { name: 'AbortError' });
    const third = await store.snapshot(signal);
    await store[Symbol.asyncDispose]();
    await over(third);
    await assert.rejects(store.snapshot(signal), isSpikeError('store_failed'));
  });
}

function testProperty(numRuns: number, open: () => Promise<Store>): void {
  test('any sequence of commits leaves what a map would hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(opArbitrary(), { maxLength: 6 }), { minLength: 1, maxLength: 20 }),
        async (commits) => {
          await using store = await open();
          const model: Model = new Map();
          const results = await Promise.all(commits.map(async (ops) => store.commit(ops)));
          assert.deepEqual(
            results,
            commits.map((ops) => applyToModel(model, ops)),
          );
          for (const table of ['secret', 'policy'] as const) {
            const rows = await store.list(table, new Uint8Array(), { limit: 1_000 });
            assert.deepEqual(rows.map(plain), readModel(model, table).map(plain));
          }
        },
      ),
      { numRuns },
    );
  });
}

function testClosing(open: () => Promise<Store>): void {
  test('closing finishes what was asked for, can be done twice, and refuses what comes after', async () => {
    const store = await open();
    const committed = Promise.all(
      Array.from({ length: 20 }, async (_, index) => store.commit([makePut(`k${index}`)])),
    );
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
    assert.ok((await committed).every((result) => result.ok));
    await store[Symbol.asyncDispose]();
    await assert.rejects(store.get('secret', key('k')), isSpikeError('store_failed'));
    await assert.rejects(store.list('secret', key('k'), { limit: 1 }), isSpikeError('store_failed'));
    await assert.rejects(store.head(), isSpikeError('store_failed'));
    await assert.rejects(store.commit([makePut('k')]), isSpikeError('store_failed'));
    await assert.rejects(store.verify(AbortSignal.timeout(1_000)), isSpikeError('store_failed'));
    assert.equal((await store.health()).ok, false);
  });
}

function key(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text));
}

/** Comparable whatever kind of byte array a driver answers. */
function plain(row: Row | undefined): unknown {
  if (row === undefined) return undefined;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return { ...row, key: hex(row.key), nonce: hex(row.nonce), body: hex(row.body) };
}
