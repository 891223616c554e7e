import { SpikeError } from '@spike/error';
import type { Op, Row, Table } from '@spike/store';
import { damaged } from '../service/record.ts';
import type { Ledger, Origin, Vault } from '../vault/port.ts';

export interface RecordBookOptions<Value> {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly table: Table;
  /** Row key of a record; the first segment names the book, so that a table may hold several. */
  readonly book: string;
  readonly segmentsOf: (value: Value) => readonly string[];
  readonly encode: (value: Value) => Uint8Array;
  /** Throws SpikeError `store_integrity`. */
  readonly decode: (bytes: Uint8Array) => Value;
}

/** One record to be: `value` undefined takes it away. */
export interface Change<Value> {
  readonly segments: readonly string[];
  readonly value: Value | undefined;
}

/** What goes into a transaction, and what then has to be done in memory. */
export interface Prepared {
  readonly ops: readonly Op[];
  /** It is committed. */
  readonly apply: () => void;
  /** It failed, and nobody knows whether it was committed. */
  readonly doubt: () => void;
}

interface Entry<Value> {
  readonly value: Value;
  readonly revision: number;
}

const pageRows = 200;

/** Sealed records of one kind, few enough to be in memory as a whole, which is as the last commit left them. */
export class RecordBook<Value> {
  readonly #options: RecordBookOptions<Value>;
  readonly #entries = new Map<string, Entry<Value>>();
  /** Of which a failed commit left open what the store holds. */
  readonly #doubted = new Map<string, readonly string[]>();

  private constructor(options: RecordBookOptions<Value>) {
    this.#options = options;
  }

  /** Reads them all. Throws SpikeError `store_integrity` when one does not open or lies in the place of another. */
  static async load<Value>(
    options: RecordBookOptions<Value>,
    signal?: AbortSignal,
  ): Promise<RecordBook<Value>> {
    const { vault, ledger, table, book: name } = options;
    const book = new RecordBook(options);
    const prefix = vault.key(table, [name]);
    let after: Uint8Array | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await ledger.list(table, prefix, {
        limit: pageRows,
        ...(after === undefined ? {} : { after }),
      });
      for (const row of rows) book.#take(row);
      after = rows.at(-1)?.key;
      if (rows.length < pageRows) return book;
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  get(segments: readonly string[]): Value | undefined {
    return this.#entries.get(idOf(segments))?.value;
  }

  values(): readonly Value[] {
    return [...this.#entries.values()].map(({ value }) => value);
  }

  /** For one transaction, which holds only if these records are still as they are in memory. */
  prepare(changes: readonly Change<Value>[]): Prepared {
    const { table } = this.#options;
    const revisions = new Map<string, number>();
    const ops = changes.flatMap(({ segments, value }): Op[] => {
      const key = this.#key(segments);
      const found = this.#entries.get(idOf(segments));
      const expect = found === undefined ? 'absent' : { revision: found.revision };
      if (value === undefined) return found === undefined ? [] : [{ kind: 'delete', table, key, expect }];
      const revision = (found?.revision ?? 0) + 1;
      revisions.set(idOf(segments), revision);
      return [{ kind: 'put', table, row: this.#seal(key, value, revision), expect }];
    });
    return {
      ops,
      apply: () => {
        for (const { segments, value } of changes) {
          const id = idOf(segments);
          const revision = revisions.get(id);
          if (value === undefined || revision === undefined) this.#entries.delete(id);
          else this.#entries.set(id, { value, revision });
        }
      },
      doubt: () => {
        for (const { segments } of changes) this.#doubted.set(idOf(segments), segments);
      },
    };
  }

  /** Brings memory in step with the store where a commit left that open. Throws SpikeError `store_failed`. */
  async settle(): Promise<void> {
    const { ledger, table } = this.#options;
    if (this.#doubted.size === 0) return;
    // Once another transaction is through, none that was left open can come any more.
    if (!ledger.settled) await ledger.commit([]);
    for (const [id, segments] of this.#doubted) {
      const row = await ledger.get(table, this.#key(segments));
      if (row === undefined) this.#entries.delete(id);
      else this.#take(row);
      this.#doubted.delete(id);
    }
  }

  #key(segments: readonly string[]): Uint8Array {
    const { vault, table, book } = this.#options;
    return vault.key(table, [book, ...segments]);
  }

  #seal(key: Uint8Array, value: Value, revision: number): Row {
    const { vault, table, encode } = this.#options;
    const plaintext = encode(value);
    const row = vault.seal(table, key, { revision, version: 0, field: 0 }, plaintext);
    plaintext.fill(0);
    return row;
  }

  #take(row: Row): void {
    const { vault, table, decode, segmentsOf, book } = this.#options;
    const bytes = vault.open(table, row);
    const value = decode(bytes);
    bytes.fill(0);
    const segments = segmentsOf(value);
    if (Buffer.compare(this.#key(segments), row.key) !== 0)
      throw damaged(`a record of ${book} lies in the place of another`);
    this.#entries.set(idOf(segments), { value, revision: row.revision });
  }
}

/**
 * All that was prepared, in one transaction. When it fails memory stays as it was; where nobody knows whether it failed,
 * the books are read again as soon as that can be.
 */
export async function commitPrepared(
  ledger: Ledger,
  prepared: readonly Prepared[],
  origin: Origin,
  books: readonly { settle(): Promise<void> }[],
): Promise<void> {
  try {
    await ledger.commit(
      prepared.flatMap(({ ops }) => ops),
      origin,
    );
  } catch (thrown) {
    if (
      thrown instanceof SpikeError &&
      thrown.code === 'store_failed' &&
      thrown.detail['outcome'] === 'unknown'
    ) {
      for (const { doubt } of prepared) doubt();
      for (const book of books) await book.settle().catch(() => undefined);
    }
    throw thrown;
  }
  for (const { apply } of prepared) apply();
}

/** No segment holds a NUL: the vault refuses it. */
function idOf(segments: readonly string[]): string {
  return segments.join('\0');
}
