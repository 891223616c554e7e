import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { constants } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ensurePrivateDirectory } from '@spike/config';
import { SpikeError } from '@spike/error';
import { anotherSnapshot, checkKey, checkList, checkOps, checkTable } from '../limit.ts';
import {
  tables,
  type CommitResult,
  type Head,
  type ListOptions,
  type Op,
  type Row,
  type Snapshot,
  type Store,
  type StoreHealth,
  type Table,
  type VerifyReport,
} from '../store.ts';
import { databaseName, openReadable } from './connection.ts';
import { convertErrors } from './error.ts';
import { encodeFrame } from './frame.ts';
import { lockName, openLock } from './lock.ts';
import { readHead, readPage, readRow, rangeOf } from './read.ts';
import { SqliteSnapshot } from './snapshot.ts';
import { verifyFile } from './verify.ts';
import { spawnWorker, Writer, type SpawnWorker } from './writer.ts';

export interface SqliteOptions {
  /** Made with mode 0700 when it is not there; must be ours, private, and no symbolic link. */
  readonly directory: string;
  /** Most bytes that the database file may grow to, its journal not counted; beyond, commits fail with `store_failed`. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
}

/**
 * The store of one Nexus: one file, held by this process alone, written by a thread of its own and synced to disk
 * before a commit resolves. Opening checks header, schema and settings only, so that it does not grow with the
 * data. Throws `fs_unsafe`, `store_failed` (also when another process holds it) or `store_integrity`.
 */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  return openWith(options, spawnWorker);
}

/** The same with a writing thread of the caller's, for tests that end it. */
export async function openWith(options: SqliteOptions, spawn: SpawnWorker): Promise<Store> {
  options.signal.throwIfAborted();
  const directory = resolve(options.directory);
  await ensurePrivateDirectory(directory);
  const path = join(directory, databaseName);
  const lockPath = join(directory, lockName);
  await using stack = new AsyncDisposableStack();
  await ensurePrivateFile(lockPath);
  stack.use(openLock(lockPath));
  await ensurePrivateFile(path);
  const { maxBytes } = options;
  const writer = stack.use(await Writer.open(maxBytes === undefined ? { path } : { path, maxBytes }, spawn));
  options.signal.throwIfAborted();
  const reader = convertErrors(() => openReadable(path));
  stack.defer(() => reader.close());
  return new SqliteStore(path, reader, writer, stack);
}

class SqliteStore implements Store {
  readonly kind = 'sqlite';
  readonly #path: string;
  readonly #writer: Writer;
  readonly #get: ReadonlyMap<Table, StatementSync>;
  readonly #list: ReadonlyMap<Table, StatementSync>;
  readonly #head: StatementSync;
  readonly #resources: AsyncDisposableStack;
  #snapshot: SqliteSnapshot | undefined;
  #closing: Promise<void> | undefined;

  constructor(path: string, reader: DatabaseSync, writer: Writer, resources: AsyncDisposableStack) {
    this.#path = path;
    this.#writer = writer;
    this.#get = new Map(tables.map((name) => [name, reader.prepare(`SELECT * FROM ${name} WHERE key = ?`)]));
    this.#list = new Map(
      tables.map((name) => [
        name,
        reader.prepare(`SELECT * FROM ${name} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`),
      ]),
    );
    this.#head = reader.prepare('SELECT revision, bytes FROM head WHERE id = 1');
    // Last: until nothing can fail any more they are the opener's to close.
    this.#resources = resources.move();
  }

  async head(): Promise<Head | undefined> {
    this.#assertOpen();
    const found = convertErrors(() => this.#head.get());
    return found && readHead(found);
  }

  async get(table: Table, key: Uint8Array): Promise<Row | undefined> {
    this.#assertOpen();
    checkTable(table);
    checkKey(key);
    const found = convertErrors(() => this.#get.get(table)?.get(key));
    return found && readRow(found);
  }

  async list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    this.#assertOpen();
    checkTable(table);
    checkList(prefix, options);
    const [from, to] = rangeOf(prefix, options.after);
    const statement = this.#list.get(table);
    if (statement === undefined) return [];
    const { limit, bytes } = options;
    return convertErrors(() =>
      // Faster, where all of them are wanted.
      readPage(
        bytes === undefined ? statement.all(from, to, limit) : statement.iterate(from, to, limit),
        bytes,
      ),
    );
  }

  async commit(ops: readonly Op[]): Promise<CommitResult> {
    this.#assertOpen();
    checkOps(ops);
    return this.#writer.commit(encodeFrame(ops));
  }

  async health(): Promise<StoreHealth> {
    const sizes = await Promise.all([fileSize(this.#path), fileSize(`${this.#path}-wal`)]);
    const health = { kind: this.kind, bytes: sizes[0] + sizes[1] } as const;
    if (this.#closing !== undefined) return { ...health, ok: false, problem: 'the store is closed' };
    if (sizes[0] === 0) return { ...health, ok: false, problem: 'the store file is gone; restore a backup' };
    if (!this.#writer.healthy) {
      return { ...health, ok: false, problem: 'the writing thread is not there; look at the disk' };
    }
    return { ...health, ok: true };
  }

  async snapshot(signal: AbortSignal): Promise<Snapshot> {
    this.#assertOpen();
    signal.throwIfAborted();
    if (this.#snapshot !== undefined) throw anotherSnapshot();
    this.#snapshot = SqliteSnapshot.open(this.#path, signal, () => (this.#snapshot = undefined));
    return this.#snapshot;
  }

  async verify(signal: AbortSignal): Promise<VerifyReport> {
    this.#assertOpen();
    return verifyFile(this.#path, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** A snapshot first, then commits, while reads still work; then the reading connection, the writing thread, the lock. */
  async #close(): Promise<void> {
    await this.#snapshot?.[Symbol.asyncDispose]();
    await this.#writer.drain();
    await this.#resources.disposeAsync();
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    throw new SpikeError('store_failed', 'the store is closed', { detail: { outcome: 'none' } });
  }
}

/**
 * Makes the file with mode 0600 before SQLite does so with the umask's; its journal takes over the mode. A file that
 * is there is looked at but never opened: closing it would drop the locks that this process has on it.
 */
async function ensurePrivateFile(path: string): Promise<void> {
  try {
    await (await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)).close();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
      throw new SpikeError('store_failed', `${path} cannot be made; look at the disk and its permissions`, {
        cause: error,
      });
    }
  }
  const found = await lstat(path);
  const uid = process.getuid?.();
  if (found.isFile() && (uid === undefined || found.uid === uid) && (found.mode & 0o077) === 0) return;
  throw new SpikeError(
    'fs_unsafe',
    `${path} must be a regular file of ours that nobody else can read or write`,
    {
      detail: { path },
    },
  );
}

async function fileSize(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}
