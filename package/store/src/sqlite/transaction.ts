import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { tables, type CommitResult, type Op, type Row, type Table } from '../store.ts';
import { decodeFrame, type Frame } from './frame.ts';

const columns = 'key, format, suite, term, revision, version, field, nonce, body';
const assignments = columns
  .split(', ')
  .slice(1)
  .map((name, index) => `${name} = ?${index + 2}`)
  .join(', ');

interface RowStatements {
  readonly insert: StatementSync;
  readonly upsert: StatementSync;
  readonly update: StatementSync;
  readonly find: StatementSync;
  readonly delete: StatementSync;
  readonly deleteRevision: StatementSync;
}

/** Commits, on the connection that writes: statements are prepared once. */
export class TransactionRunner {
  readonly #database: DatabaseSync;
  readonly #rows: ReadonlyMap<Table, RowStatements>;
  readonly #headRevision: StatementSync;
  readonly #putHead: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#rows = new Map(tables.map((table) => [table, prepareRows(database, table)]));
    this.#headRevision = database.prepare('SELECT revision FROM head WHERE id = 1');
    this.#putHead = database.prepare(
      'INSERT INTO head (id, revision, bytes) VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE SET revision = ?1, bytes = ?2',
    );
  }

  /**
   * Several commits in one transaction, each in a savepoint of its own, so that one whose expectation fails takes
   * nobody along. When this throws, none of them happened, unless `committing` says that COMMIT itself had begun.
   */
  run(frames: readonly Frame[], onCommit: () => void): CommitResult[] {
    this.#database.exec('BEGIN IMMEDIATE');
    const results = frames.map((frame) => this.#runOne(frame));
    onCommit();
    this.#database.exec('COMMIT');
    return results;
  }

  #runOne(frame: Frame): CommitResult {
    this.#database.exec('SAVEPOINT one');
    let index = 0;
    for (const op of decodeFrame(frame)) {
      if (!this.#apply(op)) {
        this.#database.exec('ROLLBACK TO one; RELEASE one');
        return { ok: false, conflict: index };
      }
      index += 1;
    }
    this.#database.exec('RELEASE one');
    return { ok: true };
  }

  /** False when the expectation does not hold. */
  #apply(op: Op): boolean {
    if (op.kind === 'head') return this.#applyHead(op);
    const statements = this.#rows.get(op.table);
    if (statements === undefined) throw new RangeError('there is no such table');
    return op.kind === 'put' ? applyPut(statements, op) : applyDelete(statements, op);
  }

  #applyHead(op: Op & { kind: 'head' }): boolean {
    if (op.expect !== 'any') {
      const found = this.#headRevision.get()?.['revision'];
      const expected = op.expect === 'absent' ? undefined : op.expect.revision;
      if (found !== expected) return false;
    }
    this.#putHead.run(op.revision, op.bytes);
    return true;
  }
}

function applyPut(statements: RowStatements, op: Op & { kind: 'put' }): boolean {
  const values = toValues(op.row);
  if (op.expect === 'any') return statements.upsert.run(...values).changes === 1;
  if (op.expect === 'absent') return statements.insert.run(...values).changes === 1;
  return statements.update.run(...values, op.expect.revision).changes === 1;
}

function applyDelete(statements: RowStatements, op: Op & { kind: 'delete' }): boolean {
  if (op.expect === 'absent') return statements.find.get(op.key) === undefined;
  if (op.expect !== 'any') return statements.deleteRevision.run(op.key, op.expect.revision).changes === 1;
  statements.delete.run(op.key);
  return true;
}

type Values = [Uint8Array, number, number, number, number, number, number, Uint8Array, Uint8Array];

function toValues(row: Row): Values {
  return [
    row.key,
    row.format,
    row.suite,
    row.term,
    row.revision,
    row.version,
    row.field,
    row.nonce,
    row.body,
  ];
}

function prepareRows(database: DatabaseSync, table: Table): RowStatements {
  const insert = `INSERT INTO ${table} (${columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`;
  return {
    insert: database.prepare(`${insert} ON CONFLICT (key) DO NOTHING`),
    upsert: database.prepare(`${insert} ON CONFLICT (key) DO UPDATE SET ${assignments}`),
    update: database.prepare(`UPDATE ${table} SET ${assignments} WHERE key = ?1 AND revision = ?10`),
    find: database.prepare(`SELECT 1 FROM ${table} WHERE key = ?1`),
    delete: database.prepare(`DELETE FROM ${table} WHERE key = ?1`),
    deleteRevision: database.prepare(`DELETE FROM ${table} WHERE key = ?1 AND revision = ?2`),
  };
}
