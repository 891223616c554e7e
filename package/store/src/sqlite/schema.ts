import { DatabaseSync } from 'node:sqlite';
import { SpikeError } from '@spike/error';
import type { Table } from '../store.ts';

/** 'SPKE', in the header of every file that we made (PRAGMA application_id). */
export const applicationId = 0x53504b45;

const rowColumns = [
  'format INTEGER NOT NULL',
  'suite INTEGER NOT NULL',
  'term INTEGER NOT NULL',
  'revision INTEGER NOT NULL',
  'version INTEGER NOT NULL',
  'field INTEGER NOT NULL',
  'nonce BLOB NOT NULL',
  'body BLOB NOT NULL',
].join(', ');

function rowTable(name: Table): string {
  return `CREATE TABLE ${name} (key BLOB NOT NULL PRIMARY KEY, ${rowColumns}) STRICT, WITHOUT ROWID`;
}

const ofSecrets = ['secret', 'secret_version', 'policy', 'outbox', 'state'] as const;
const ofAdministrators = ['administrator', 'setting', 'attempt', 'alert', 'history'] as const;

/** Migration n brings a file from version n to n + 1. What was released is never edited: old files have been through it. */
const migrations: readonly string[] = [
  [
    ...ofSecrets.map(rowTable),
    'CREATE TABLE head (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT',
  ].join(';\n'),
  ofAdministrators.map(rowTable).join(';\n'),
];

/** The schema version that this release writes (PRAGMA user_version). */
export const schemaVersion = migrations.length;

/**
 * Brings a file to `schemaVersion` in one transaction, and refuses what is not ours: another application's file, a
 * newer release's, or one whose tables differ from what the migrations make. Throws `store_integrity`.
 */
export function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = readNumber(database, 'user_version');
    const application = readNumber(database, 'application_id');
    const isNew = application === 0 && version === 0 && readSchema(database).length === 0;
    if (!isNew) assertOurs(application, version);
    for (const migration of migrations.slice(version)) database.exec(migration);
    if (isNew) database.exec(`PRAGMA application_id = ${applicationId}`);
    if (version < schemaVersion) database.exec(`PRAGMA user_version = ${schemaVersion}`);
    assertSchema(database);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function assertOurs(application: number, version: number): void {
  if (application !== applicationId) {
    throw new SpikeError(
      'store_integrity',
      'the store file belongs to another program; point to the right directory, or move the file away',
    );
  }
  if (version > schemaVersion) {
    throw new SpikeError(
      'store_integrity',
      `the store was written by a newer release (schema ${version}, this one knows ${schemaVersion}); use that release`,
      { detail: { found: version, known: schemaVersion } },
    );
  }
}

/** A trigger, view or column that no migration made is somebody else's work. */
function assertSchema(database: DatabaseSync): void {
  const fresh = new DatabaseSync(':memory:');
  try {
    for (const migration of migrations) fresh.exec(migration);
    if (readSchema(database).join('\n') === readSchema(fresh).join('\n')) return;
  } finally {
    fresh.close();
  }
  throw new SpikeError(
    'store_integrity',
    'the tables of the store are not those that SPIKE makes; restore a backup',
  );
}

function readSchema(database: DatabaseSync): string[] {
  const rows = database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
  return rows.map((row) => JSON.stringify([row['type'], row['name'], row['sql']]));
}

function readNumber(database: DatabaseSync, pragma: string): number {
  return Number(database.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
}
