import { SpikeError } from '@spike/error';
import { checkList, checkTable } from '../limit.ts';
import type { Head, ListOptions, Row, Snapshot, Table } from '../store.ts';
import { RowMap } from './row-map.ts';

/** The rows of a store in memory as they are when this is made. */
export class MemorySnapshot implements Snapshot {
  readonly head: Head | undefined;
  readonly #copy: (row: Row) => Row;
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  #tables: ReadonlyMap<Table, RowMap> | undefined;

  /** `copy` makes what the caller may change; `onEnd` is called once. */
  constructor(
    head: Head | undefined,
    tables: ReadonlyMap<Table, RowMap>,
    signal: AbortSignal,
    { copy, onEnd }: { readonly copy: (row: Row) => Row; readonly onEnd: () => void },
  ) {
    this.head = head;
    this.#tables = new Map([...tables].map(([name, rows]) => [name, new RowMap(rows)]));
    this.#copy = copy;
    this.#signal = signal;
    this.#onEnd = onEnd;
    signal.addEventListener('abort', this.#end, { once: true });
  }

  async rows(table: Table, options: ListOptions): Promise<readonly Row[]> {
    checkTable(table);
    checkList(new Uint8Array(), options);
    if (this.#tables === undefined) {
      throw new SpikeError('store_failed', 'the snapshot is over; begin again', {
        detail: { outcome: 'none' },
      });
    }
    const found = this.#tables.get(table)?.list(new Uint8Array(), options) ?? [];
    return found.map((row) => this.#copy(row));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  readonly #end = (): void => {
    if (this.#tables === undefined) return;
    this.#tables = undefined;
    this.#signal.removeEventListener('abort', this.#end);
    this.#onEnd();
  };
}
