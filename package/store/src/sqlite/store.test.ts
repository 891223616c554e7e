import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { SpikeError } from '@spike/error';
import { toSealed } from '../seal.ts';
import type { Store } from '../store.ts';
import { isSpikeError, makePut, testStore } from '../suite.ts';
import { databaseName } from './connection.ts';
import { schemaVersion } from './schema.ts';
import { openSqliteStore, openWith } from './store.ts';
import { spawnWorker } from './writer.ts';

const root = await mkdtemp(join(tmpdir(), 'spike-store-'));
after(async () => rm(root, { recursive: true }));

let count = 0;
const freshDirectory = (): string => join(root, `${(count += 1)}`);
const signal = AbortSignal.timeout(120_000);
const openFresh = async (): Promise<Store> => openSqliteStore({ directory: freshDirectory(), signal });
const key = (text: string): Uint8Array => Buffer.from(text);

testStore('sqlite', 8, openFresh);

test('what was committed is there after closing and opening again', async () => {
  const directory = freshDirectory();
  {
    await using store = await openSqliteStore({ directory, signal });
    await store.commit([
      makePut('k', { revision: 3 }),
      { kind: 'head', bytes: Uint8Array.of(1), revision: 2, expect: 'absent' },
    ]);
  }
  await using store = await openSqliteStore({ directory, signal });
  assert.equal((await store.get('secret', key('k')))?.revision, 3);
  assert.equal((await store.head())?.revision, 2);
});

test('the directory is for us alone, and so is every file in it', async () => {
  const directory = freshDirectory();
  await using store = await openSqliteStore({ directory, signal });
  await store.commit([makePut('k')]);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  const names = await readdir(directory);
  assert.ok(names.includes(`${databaseName}-wal`));
  for (const name of names) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
});

test('a directory or file that others may read, or that is a link, is refused', async () => {
  const directory = freshDirectory();
  await (await openSqliteStore({ directory, signal }))[Symbol.asyncDispose]();
  await chmod(join(directory, databaseName), 0o640);
  await assert.rejects(openSqliteStore({ directory, signal }), isSpikeError('fs_unsafe'));
  await chmod(join(directory, databaseName), 0o600);
  await chmod(directory, 0o750);
  await assert.rejects(openSqliteStore({ directory, signal }), isSpikeError('fs_unsafe'));
  await chmod(directory, 0o700);
  const link = freshDirectory();
  await symlink(directory, link);
  await assert.rejects(openSqliteStore({ directory: link, signal }), isSpikeError('fs_unsafe'));
  await (await openSqliteStore({ directory, signal }))[Symbol.asyncDispose]();
});

test('a second opener is refused, in this process and in another, until the first has closed', async () => {
  const directory = freshDirectory();
  {
    await using store = await openSqliteStore({ directory, signal });
    await assert.rejects(openSqliteStore({ directory, signal }), isSpikeError('store_failed'));
    await assert.rejects(
      openSqliteStore({ directory, signal }),
      isSpikeError('store_failed'),
      'trying must not unlock',
    );
    assert.equal(await tryElsewhere(directory), 'store_failed');
    assert.deepEqual(await store.commit([makePut('k')]), { ok: true });
  }
  assert.equal(await tryElsewhere(directory), 'opened');
  await (await openSqliteStore({ directory, signal }))[Symbol.asyncDispose]();
});

test('a file that is not ours, or from a newer release, or with changed tables, is refused', async () => {
  const change = async (sql: string): Promise<string> => {
    const directory = freshDirectory();
    await (await openSqliteStore({ directory, signal }))[Symbol.asyncDispose]();
    const database = new DatabaseSync(join(directory, databaseName));
    database.exec(sql);
    database.close();
    return directory;
  };
  for (const sql of [
    'PRAGMA application_id = 1',
    `PRAGMA user_version = ${schemaVersion + 1}`,
    'CREATE TRIGGER t AFTER INSERT ON secret BEGIN DELETE FROM policy; END',
    'DROP TABLE outbox',
    'ALTER TABLE secret ADD COLUMN more INTEGER',
  ]) {
    const directory = await change(sql);
    await assert.rejects(openSqliteStore({ directory, signal }), isSpikeError('store_integrity'), sql);
  }
  const directory = await change('SELECT 1');
  await writeFile(join(directory, databaseName), Buffer.alloc(8192, 'not a database'));
  await assert.rejects(openSqliteStore({ directory, signal }), isSpikeError('store_integrity'));
});

test('when there is no room a commit fails whole, and works again when there is', async () => {
  const directory = freshDirectory();
  await using store = await openSqliteStore({ directory, signal, maxBytes: 1024 * 1024 });
  const body = toSealed(new Uint8Array(64 * 1024));
  const acknowledged: string[] = [];
  const fill = async (): Promise<void> => {
    for (let index = 0; ; index++) {
      await store.commit([makePut(`a${index}`, { body }), makePut(`b${index}`, { body })]);
      acknowledged.push(`a${index}`, `b${index}`);
    }
  };
  await assert.rejects(fill(), (error) => error instanceof SpikeError && error.detail['outcome'] === 'none');
  assert.ok(acknowledged.length > 4);
  const rows = await store.list('secret', new Uint8Array(), { limit: 1_000 });
  assert.deepEqual(rows.map((row) => Buffer.from(row.key).toString()).sort(), acknowledged.toSorted());
  const [small, large] = await Promise.allSettled([
    store.commit([makePut('small')]),
    store.commit([makePut('large', { body: toSealed(new Uint8Array(512 * 1024)) })]),
  ]);
  assert.deepEqual(
    [small.status, large.status],
    ['fulfilled', 'rejected'],
    'who fits is not failed by who does not',
  );
  await store.commit(
    acknowledged.map((text) => ({ kind: 'delete', table: 'secret', key: key(text), expect: 'any' })),
  );
  assert.deepEqual(await store.commit([makePut('large', { body })]), { ok: true });
  assert.equal((await store.verify(signal)).ok, true);
});

test('when the writing thread dies its commits fail as unknown, and the next commit has a new one', async () => {
  const directory = freshDirectory();
  const workers: Worker[] = [];
  await using store = await openWith({ directory, signal }, (start) => {
    const worker = spawnWorker(start);
    workers.push(worker);
    return worker;
  });
  for (let round = 0; round < 5; round++) {
    const body = toSealed(new Uint8Array(256 * 1024));
    const commits = Array.from({ length: 10 }, async (_, index) =>
      store.commit([makePut(`a${round} ${index}`, { body }), makePut(`b${round} ${index}`, { body })]),
    );
    const settled = Promise.allSettled(commits);
    await new Promise((resolve) => setImmediate(resolve));
    await workers.at(-1)?.terminate();
    for (const [index, result] of (await settled).entries()) {
      const pair = await Promise.all(
        ['a', 'b'].map(async (name) => store.get('secret', key(`${name}${round} ${index}`))),
      );
      assert.equal(pair[0] === undefined, pair[1] === undefined, 'never half');
      if (result.status === 'fulfilled') assert.notEqual(pair[0], undefined);
      else assert.ok(isSpikeError('store_failed')(result.reason));
    }
    assert.deepEqual(await store.commit([makePut(`after ${round}`)]), { ok: true });
    assert.equal((await store.health()).ok, true);
  }
  assert.ok(workers.length >= 6);
  assert.equal((await store.verify(signal)).ok, true);
});

test('a full check finds a damaged page, and ends at once when it is aborted', async () => {
  const directory = freshDirectory();
  {
    await using store = await openSqliteStore({ directory, signal });
    const body = toSealed(new Uint8Array(500).fill(5));
    await store.commit(Array.from({ length: 200 }, (_, index) => makePut(`k${index}`, { body })));
    assert.equal((await store.verify(signal)).ok, true);
    await assert.rejects(store.verify(AbortSignal.abort()), { name: 'AbortError' });
    const controller = new AbortController();
    const verifying = store.verify(controller.signal);
    controller.abort();
    await assert.rejects(verifying, { name: 'AbortError' });
  }
  const file = await open(join(directory, databaseName), 'r+');
  const { size } = await file.stat();
  await file.write(Buffer.alloc(8192, 0xee), 0, 8192, Math.floor(size / 8192 / 2) * 8192);
  await file.close();
  await using store = await openSqliteStore({ directory, signal });
  const report = await store.verify(signal);
  assert.equal(report.ok, false);
  assert.ok(report.problems.length > 0);
  await assert.rejects(
    store.list('secret', new Uint8Array(), { limit: 1_000 }),
    isSpikeError('store_integrity'),
  );
});

test('a full check finds a row that is out of its place, though every page is sound', async () => {
  const directory = freshDirectory();
  {
    await using store = await openSqliteStore({ directory, signal });
    await store.commit(Array.from({ length: 20 }, (_, index) => makePut(`place ${index + 10}`)));
  }
  const path = join(directory, databaseName);
  const bytes = await readFile(path);
  bytes.write('place 99', bytes.indexOf('place 15'));
  await writeFile(path, bytes);
  await using store = await openSqliteStore({ directory, signal });
  const report = await store.verify(signal);
  assert.equal(report.ok, false);
  assert.match(report.problems.join(), /order/u);
});

async function tryElsewhere(directory: string): Promise<string> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./testing/try.ts', import.meta.url)), directory],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return text;
}
