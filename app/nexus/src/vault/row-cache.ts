import type { Row } from '@spike/store';
import { toSealed, type Sealed } from '@spike/store/seal';

/** What an entry costs besides its bytes, as measured: objects, the map, and what an allocation of its own takes. */
const overheadBytes = 900;
/**
 * What is made free at once, as a share of the bound. Whoever looks for the oldest in a map passes all that were taken
 * out before, so that each for itself would take 8 µs.
 */
const slack = 1 / 64;

/** A row whose bytes lie in one piece: three for each row took more memory than what is in them. */
class PackedRow implements Row {
  readonly format: number;
  readonly suite: number;
  readonly term: number;
  readonly revision: number;
  readonly version: number;
  readonly field: number;
  /** Since it was last passed over. */
  used = false;
  readonly #bytes: Uint8Array;
  readonly #nonceAt: number;
  readonly #bodyAt: number;

  constructor(row: Row) {
    const { key, nonce, body } = row;
    this.format = row.format;
    this.suite = row.suite;
    this.term = row.term;
    this.revision = row.revision;
    this.version = row.version;
    this.field = row.field;
    this.#nonceAt = key.byteLength;
    this.#bodyAt = this.#nonceAt + nonce.byteLength;
    this.#bytes = new Uint8Array(this.#bodyAt + body.byteLength);
    this.#bytes.set(key);
    this.#bytes.set(nonce, this.#nonceAt);
    this.#bytes.set(body, this.#bodyAt);
  }

  get key(): Uint8Array {
    return this.#bytes.subarray(0, this.#nonceAt);
  }

  get nonce(): Uint8Array {
    return this.#bytes.subarray(this.#nonceAt, this.#bodyAt);
  }

  get body(): Sealed {
    // Copied from a body that was sealed already.
    return toSealed(this.#bytes.subarray(this.#bodyAt));
  }

  /** Key as bytes and as a name. */
  get cost(): number {
    return overheadBytes + this.#nonceAt + this.#bytes.byteLength;
  }
}

/**
 * Sealed rows, never plaintext, up to a number of bytes. The oldest go first, but one that was used since is passed over
 * once: nearly those that were not used for longest, at the price of a mark for each look-up instead of a change of the
 * order. Rows in it must not be changed.
 */
export class RowCache {
  readonly #limit: number;
  readonly #rows = new Map<string, PackedRow>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): Row | undefined {
    const row = this.#rows.get(id);
    if (row !== undefined) row.used = true;
    return row;
  }

  /** Without making it younger. */
  peek(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** Answers the row as it is kept from now on, which takes the place of the given one. */
  set(id: string, given: Row): Row {
    this.delete(id);
    const row = new PackedRow(given);
    if (row.cost > this.#limit) return given;
    this.#rows.set(id, row);
    this.#bytes += row.cost;
    if (this.#bytes > this.#limit) this.#evict(row);
    return row;
  }

  delete(id: string): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    this.#rows.delete(id);
    this.#bytes -= row.cost;
  }

  clear(): void {
    this.#rows.clear();
    this.#bytes = 0;
  }

  #evict(newest: PackedRow): void {
    const wanted = this.#limit * (1 - slack);
    // Ends: what is passed over goes behind all others, with its mark taken away.
    for (const [name, oldest] of this.#rows) {
      if (this.#bytes <= wanted) return;
      if (oldest === newest) continue;
      this.delete(name);
      if (!oldest.used) continue;
      oldest.used = false;
      this.#rows.set(name, oldest);
      this.#bytes += oldest.cost;
    }
  }
}
