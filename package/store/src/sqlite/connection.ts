import { DatabaseSync } from 'node:sqlite';
import { SpikeError } from '@spike/error';
import { maxBodyBytes } from '../store.ts';

/** The name of the database in the store's directory. */
export const databaseName = 'store.sqlite';

/** 1 KB secrets stay within a leaf page: a WITHOUT ROWID row spills to overflow pages at a quarter of a page. */
const pageBytes = 8192;
const busyTimeoutMs = 5_000;
/** A read waits on the event loop, so it waits for less. In WAL mode it waits for nobody but a recovery. */
const readTimeoutMs = 1_000;
const journalLimitBytes = 64 * 1024 * 1024;

/** Set on every connection and read back: a SQLite built with other defaults must not weaken us silently. */
const common: readonly (readonly [string, number | string])[] = [
  ['trusted_schema', 0],
  ['cell_size_check', 1],
  ['foreign_keys', 1],
  ['temp_store', 2],
  ['mmap_size', 0],
  ['cache_size', -16_384],
];

const writing: readonly (readonly [string, number | string])[] = [
  ['journal_mode', 'wal'],
  ['synchronous', 2],
  ['secure_delete', 1],
  ['journal_size_limit', journalLimitBytes],
  ['wal_autocheckpoint', 1_000],
];

/** The one connection that writes; it belongs to the writer's Worker. `maxBytes` bounds the file, rounded up to pages. */
export function openWritable(path: string, maxBytes?: number): DatabaseSync {
  const database = connect(path, { timeout: busyTimeoutMs });
  try {
    database.exec(`PRAGMA page_size = ${pageBytes}`);
    applyPragmas(database, [...common, ...writing, ['busy_timeout', busyTimeoutMs]]);
    if (maxBytes !== undefined) {
      const size = Number(database.prepare('PRAGMA page_size').get()?.['page_size']);
      database.exec(`PRAGMA max_page_count = ${Math.ceil(maxBytes / size)}`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A connection that can only read, for the main thread and for checks. */
export function openReadable(path: string): DatabaseSync {
  const database = connect(path, { timeout: readTimeoutMs, readOnly: true });
  try {
    applyPragmas(database, [...common, ['query_only', 1], ['busy_timeout', readTimeoutMs]]);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function connect(path: string, options: { timeout: number; readOnly?: boolean }): DatabaseSync {
  const database = new DatabaseSync(path, {
    ...options,
    defensive: true,
    allowExtension: false,
    enableDoubleQuotedStringLiterals: false,
    limits: { attach: 0, length: 4 * maxBodyBytes },
  });
  // Defensive mode has no pragma that tells; it is in force when this one stays off.
  database.exec('PRAGMA writable_schema = 1');
  assertPragma(database, 'writable_schema', 0);
  return database;
}

function applyPragmas(
  database: DatabaseSync,
  pragmas: readonly (readonly [string, number | string])[],
): void {
  for (const [name, value] of pragmas) {
    database.exec(`PRAGMA ${name} = ${value}`);
    assertPragma(database, name, value);
  }
}

function assertPragma(database: DatabaseSync, name: string, expected: number | string): void {
  const row = database.prepare(`PRAGMA ${name}`).get();
  const found = row === undefined ? undefined : Object.values(row)[0];
  if (found === expected) return;
  throw new SpikeError(
    'store_failed',
    `SQLite does not keep to ${name} = ${expected}; use the pinned Node.js`,
    {
      detail: { pragma: name },
    },
  );
}
