import { sizeOfRow } from '../limit.ts';
import type { ListOptions, Row } from '../store.ts';

/** Rows in the order of their keys' bytes. Keys are held as Latin-1 strings, which sort as their bytes do. */
export class RowMap {
  readonly #rows: Map<string, Row>;
  readonly #sorted: string[];
  #bytes = 0;

  /** With the rows of another, which are never changed; what becomes of either is not seen in the other. */
  constructor(from?: RowMap) {
    this.#rows = new Map(from === undefined ? [] : from.#rows);
    this.#sorted = from === undefined ? [] : [...from.#sorted];
    this.#bytes = from === undefined ? 0 : from.#bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: Uint8Array): Row | undefined {
    return this.#rows.get(toText(key));
  }

  set(row: Row): void {
    const text = toText(row.key);
    const before = this.#rows.get(text);
    if (before === undefined) this.#sorted.splice(this.#position(text), 0, text);
    else this.#bytes -= before.body.byteLength;
    this.#bytes += row.body.byteLength;
    this.#rows.set(text, row);
  }

  delete(key: Uint8Array): void {
    const text = toText(key);
    const before = this.#rows.get(text);
    if (before === undefined) return;
    this.#rows.delete(text);
    this.#sorted.splice(this.#position(text), 1);
    this.#bytes -= before.body.byteLength;
  }

  list(prefix: Uint8Array, { after, limit, bytes = Infinity }: ListOptions): Row[] {
    const start = toText(prefix);
    const cursor = after === undefined ? undefined : toText(after);
    const found: Row[] = [];
    let at = this.#position(cursor !== undefined && cursor > start ? cursor : start);
    let size = 0;
    for (; at < this.#sorted.length && found.length < limit && size < bytes; at++) {
      const text = this.#sorted[at] ?? '';
      if (!text.startsWith(start)) break;
      if (cursor !== undefined && text <= cursor) continue;
      const row = this.#rows.get(text);
      if (row === undefined) continue;
      found.push(row);
      size += sizeOfRow(row);
    }
    return found;
  }

  /** Index of the first key that does not sort before `text`. */
  #position(text: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? '') < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
