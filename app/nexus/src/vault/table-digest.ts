import { authenticate, type Secret } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Op, Row, Store, Table } from '@spike/store';

import type { TableState } from './state.ts';

/** What a transaction would make of a digest, before anybody knows whether it will be committed. */
export interface DigestChange {
  readonly state: TableState;
  readonly leaves: ReadonlyMap<string, Uint8Array | undefined>;
}

const digestBytes = 32;
const pageRows = 1000;

/**
 * A digest over all rows of one small table: the XOR of one keyed hash for each row, so that a change costs one hash and
 * the order doesn't matter. The hashes are HMACs under a key that the store doesn't have, which is what makes an XOR
 * safe: without it, rows could be chosen so that they cancel out.
 */
export class TableDigest {
  readonly table: Table;
  readonly #key: Secret;
  readonly #leaves = new Map<string, Uint8Array>();
  #digest: Uint8Array = new Uint8Array(digestBytes);

  constructor(table: Table, key: Secret) {
    this.table = table;
    this.#key = key;
  }

  /** Over all that the store has in this table. */
  static async load(table: Table, key: Secret, store: Pick<Store, 'list'>): Promise<TableDigest> {
    const digest = new TableDigest(table, key);
    let after: Uint8Array | undefined;
    for (;;) {
      const rows = await store.list(table, new Uint8Array(), {
        limit: pageRows,
        ...(after === undefined ? {} : { after }),
      });
      digest.apply(digest.after(rows.map((row) => ({ kind: 'put', table, row, expect: 'any' }))));
      after = rows.at(-1)?.key;
      if (after === undefined || rows.length < pageRows) return digest;
    }
  }

  get state(): TableState {
    return { table: this.table, rows: this.#leaves.size, digest: this.#digest };
  }

  after(ops: readonly Op[]): DigestChange {
    const leaves = new Map<string, Uint8Array | undefined>();
    const digest = Uint8Array.from(this.#digest);
    let rows = this.#leaves.size;
    for (const op of ops) {
      if (op.kind === 'head' || op.table !== this.table) continue;
      const name = nameOf(op.kind === 'put' ? op.row.key : op.key);
      const before = leaves.has(name) ? leaves.get(name) : this.#leaves.get(name);
      const now = op.kind === 'put' ? this.#leaf(op.row) : undefined;
      for (const leaf of [before, now]) if (leaf !== undefined) mix(digest, leaf);
      rows += Number(now !== undefined) - Number(before !== undefined);
      leaves.set(name, now);
    }
    return { state: { table: this.table, rows, digest }, leaves };
  }

  /** The change must come from `after` on this very state. */
  apply(change: DigestChange): void {
    for (const [name, leaf] of change.leaves) {
      if (leaf === undefined) this.#leaves.delete(name);
      else this.#leaves.set(name, leaf);
    }
    if (this.#leaves.size !== change.state.rows) {
      throw new SpikeError('api_internal_error', 'the digest of a table was changed out of order');
    }
    this.#digest = change.state.digest;
  }

  #leaf(row: Row): Uint8Array {
    const { key, format, suite, term, revision, version, field, nonce, body } = row;
    return authenticate(
      this.#key,
      this.table,
      key,
      format,
      suite,
      term,
      revision,
      version,
      field,
      nonce,
      body,
    );
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

function mix(into: Uint8Array, leaf: Uint8Array): void {
  for (let i = 0; i < digestBytes; i++) into[i] = (into[i] ?? 0) ^ (leaf[i] ?? 0);
}
