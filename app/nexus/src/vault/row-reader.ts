import { SpikeError } from '@spike/error';
import type { Op, Row, Store, Table } from '@spike/store';

import { RowCache } from './row-cache.ts';

/** The name of a row across tables. */
export function rowId(table: Table, key: Uint8Array): string {
  return `${table}/${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')}`;
}

/** Store errors as SpikeErrors: what a driver threw that is none becomes `store_failed`. */
export function toStoreError(thrown: unknown): SpikeError {
  if (thrown instanceof SpikeError) return thrown;
  return new SpikeError('store_failed', 'the store failed', { cause: thrown });
}

/**
 * Reads through a cache that never goes back in time. That there is nothing under a key is not remembered. Readers of
 * one key share one look-up, and a look-up that a commit overtook is answered to those who wait for it, who all came
 * before the commit was acknowledged, but not remembered.
 */
export class RowReader {
  readonly #store: Store;
  readonly #cache: RowCache;
  readonly #reads = new Map<string, Promise<Row | undefined>>();

  constructor(store: Store, cacheBytes: number) {
    this.#store = store;
    this.#cache = new RowCache(cacheBytes);
  }

  async get(table: Table, key: Uint8Array): Promise<Row | undefined> {
    const id = rowId(table, key);
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const running = this.#reads.get(id);
    if (running !== undefined) return await running;
    const read: Promise<Row | undefined> = this.#store.get(table, key).then(
      (row) => {
        return this.#finish(id, read) && row !== undefined ? this.#cache.set(id, row) : row;
      },
      (thrown: unknown) => {
        this.#finish(id, read);
        throw toStoreError(thrown);
      },
    );
    this.#reads.set(id, read);
    return await read;
  }

  /** The row as the last acknowledged transaction left it, where that is known without asking the store. */
  known(id: string): Row | undefined {
    return this.#cache.peek(id);
  }

  /** These operations are committed. */
  settle(ops: readonly Op[]): void {
    for (const op of ops) {
      if (op.kind === 'head') continue;
      const id = rowId(op.table, op.kind === 'put' ? op.row.key : op.key);
      this.#reads.delete(id);
      if (op.kind === 'put') this.#cache.set(id, op.row);
      else this.#cache.delete(id);
    }
  }

  /** Nobody knows what became of these operations. */
  forget(ops: readonly Op[]): void {
    for (const op of ops) {
      if (op.kind === 'head') continue;
      const id = rowId(op.table, op.kind === 'put' ? op.row.key : op.key);
      this.#reads.delete(id);
      this.#cache.delete(id);
    }
  }

  #finish(id: string, read: Promise<Row | undefined>): boolean {
    if (this.#reads.get(id) !== read) return false;
    return this.#reads.delete(id);
  }
}
