import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SpikeError } from '@spike/error';
import { checkList, checkTable } from '../limit.ts';
import { tables, type Head, type ListOptions, type Row, type Snapshot, type Table } from '../store.ts';
import { openReadable } from './connection.ts';
import { convertErrors } from './error.ts';
import { rangeOf, readHead, readPage } from './read.ts';

/**
 * One read transaction on a connection of its own. Commits do not wait for it, but as long as it is open the journal
 * keeps what they write and grows.
 */
export class SqliteSnapshot implements Snapshot {
  readonly head: Head | undefined;
  readonly #statements: ReadonlyMap<Table, StatementSync>;
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  #database: DatabaseSync | undefined;

  private constructor(database: DatabaseSync, signal: AbortSignal, onEnd: () => void) {
    this.#database = database;
    this.#signal = signal;
    this.#onEnd = onEnd;
    // The transaction sees what is there at its first read, which is this one.
    database.exec('BEGIN');
    const head = database.prepare('SELECT revision, bytes FROM head WHERE id = 1').get();
    this.head = head && readHead(head);
    this.#statements = new Map(
      tables.map((name) => [
        name,
        database.prepare(`SELECT * FROM ${name} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`),
      ]),
    );
    signal.addEventListener('abort', this.#end, { once: true });
  }

  /** `onEnd` is called once, when it is over. Throws `store_failed` and `store_integrity`. */
  static open(path: string, signal: AbortSignal, onEnd: () => void): SqliteSnapshot {
    return convertErrors(() => {
      const database = openReadable(path);
      try {
        return new SqliteSnapshot(database, signal, onEnd);
      } catch (error) {
        database.close();
        throw error;
      }
    });
  }

  async rows(table: Table, options: ListOptions): Promise<readonly Row[]> {
    checkTable(table);
    checkList(new Uint8Array(), options);
    const statement = this.#statements.get(table);
    if (this.#database === undefined || statement === undefined) {
      throw new SpikeError('store_failed', 'the snapshot is over; begin again', {
        detail: { outcome: 'none' },
      });
    }
    const [from, to] = rangeOf(new Uint8Array(), options.after);
    return convertErrors(() => readPage(statement.iterate(from, to, options.limit), options.bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  readonly #end = (): void => {
    const database = this.#database;
    if (database === undefined) return;
    this.#database = undefined;
    this.#signal.removeEventListener('abort', this.#end);
    database.close();
    this.#onEnd();
  };
}
