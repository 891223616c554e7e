import type { Row } from '@spike/store';

/** What an entry costs besides its bytes: objects, strings and the map, roughly. */
const overheadBytes = 400;

/** Sealed rows, never plaintext, up to a number of bytes; the least recently used go first. Rows in it must not be changed. */
export class RowCache {
  readonly #limit: number;
  readonly #rows = new Map<string, Row>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): Row | undefined {
    const row = this.#rows.get(id);
    if (row === undefined) return undefined;
    this.#rows.delete(id);
    this.#rows.set(id, row);
    return row;
  }

  /** Without making it younger. */
  peek(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  set(id: string, row: Row): void {
    this.delete(id);
    const cost = costOf(row);
    if (cost > this.#limit) return;
    this.#rows.set(id, row);
    this.#bytes += cost;
    for (const oldest of this.#rows.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.delete(oldest);
    }
  }

  delete(id: string): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    this.#rows.delete(id);
    this.#bytes -= costOf(row);
  }

  clear(): void {
    this.#rows.clear();
    this.#bytes = 0;
  }
}

function costOf(row: Row): number {
  return overheadBytes + 2 * row.key.byteLength + row.nonce.byteLength + row.body.byteLength;
}
