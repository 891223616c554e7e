import {
  derive,
  encodeFields,
  integerBytes,
  nonceBytes,
  pad,
  Tagger,
  unpad,
  XaesKey,
  type SealedBody,
} from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Row, Table } from '@spike/store';
import { toSealed } from '@spike/store/seal';

import { suite } from './head.ts';
import { broken, trusted } from './integrity.ts';
import type { Keyring } from './keyring.ts';
import type { RowMeta, Vault } from './port.ts';

/** Layout of a row's associated data and plaintext. */
const format = 1;
const longestCursor = 2048;
const versionBytes = 8;

interface Term {
  readonly key: XaesKey;
  readonly instance: string;
}

type ClearRow = Omit<Row, 'nonce' | 'body'>;

/** The vault over one keyring. Terms that are not current still open what was sealed under them. */
export class KeyringVault implements Vault, Disposable {
  readonly instance: string;
  readonly #terms: ReadonlyMap<number, Term>;
  readonly #term: number;
  readonly #tagger: Tagger;
  readonly #cursorKey: XaesKey;
  readonly #indexNumber: number;
  #wiped = false;

  constructor(keyring: Keyring, instance: string) {
    this.instance = instance;
    this.#term = keyring.current('data').number;
    this.#terms = new Map(
      keyring
        .all('data')
        .map((entry) => [entry.number, { key: XaesKey.from(entry.key), instance: entry.instance }]),
    );
    const index = keyring.current('index');
    this.#indexNumber = index.number;
    this.#tagger = new Tagger(index.key);
    using cursorKey = derive('list/cursor', index.key, instance);
    this.#cursorKey = XaesKey.from(cursorKey);
  }

  key(table: Table, segments: readonly string[]): Uint8Array {
    this.#assertKeys();
    return this.#tagger.path(table, segments);
  }

  versionKey(secretKey: Uint8Array, version: number): Uint8Array {
    // Not from Node's pool, of which the row would keep a slab.
    const key = new Uint8Array(secretKey.length + versionBytes);
    key.set(secretKey);
    key.set(integerBytes(version), secretKey.length);
    return key;
  }

  seal(table: Table, key: Uint8Array, meta: RowMeta, plaintext: Uint8Array): Row {
    this.#assertKeys();
    const { revision, version, field } = meta;
    const clear: ClearRow = { key, format, suite, term: this.#term, revision, version, field };
    const term = this.#termOf(clear);
    const padded = pad(plaintext);
    const { nonce, body } = term.key.seal(padded, rowAad(table, clear, term.instance));
    padded.fill(0);
    return { ...clear, nonce, body: toSealed(body) };
  }

  open(table: Table, row: Row): Uint8Array {
    this.#assertKeys();
    if (row.format !== format || row.suite !== suite) {
      throw broken('a row is of a format that this release does not know', { detail: { table } });
    }
    const term = this.#termOf(row);
    return trusted(`a row of the table ${table}`, () =>
      unpad(term.key.open(row.nonce, row.body, rowAad(table, row, term.instance))),
    );
  }

  sealCursor(after: Uint8Array, peer: string, prefix: string): string {
    this.#assertKeys();
    const { nonce, body } = this.#cursorKey.seal(after, this.#cursorAad(peer, prefix));
    return Buffer.concat([nonce, body]).toString('base64url');
  }

  openCursor(cursor: string, peer: string, prefix: string): Uint8Array {
    this.#assertKeys();
    try {
      if (cursor.length > longestCursor) throw new RangeError('too long');
      const { nonce, body } = cursorParts(cursor);
      return this.#cursorKey.open(nonce, body, this.#cursorAad(peer, prefix));
    } catch (cause) {
      throw new SpikeError('data_invalid_input', 'this cursor is not of this list: start again without it', {
        cause,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#wiped = true;
    for (const term of this.#terms.values()) term.key[Symbol.dispose]();
    this.#tagger[Symbol.dispose]();
    this.#cursorKey[Symbol.dispose]();
  }

  #termOf(row: ClearRow): Term {
    const term = this.#terms.get(row.term);
    if (term === undefined) throw broken(`a row is of term ${row.term}, which the keyring does not have`);
    return term;
  }

  #cursorAad(peer: string, prefix: string): Uint8Array {
    return encodeFields('spike/cursor', this.#indexNumber, peer, prefix);
  }

  #assertKeys(): void {
    if (this.#wiped) throw new SpikeError('state_not_ready', 'the keys have been wiped');
  }
}

/** Every clear column, the table and the instance of the term: so no row opens anywhere but in its place. */
function rowAad(table: Table, row: ClearRow, instance: string): Uint8Array {
  const { key, term, revision, version, field } = row;
  return encodeFields(
    'spike/row',
    row.format,
    row.suite,
    instance,
    table,
    key,
    term,
    revision,
    version,
    field,
  );
}

function cursorParts(cursor: string): SealedBody {
  const bytes = Buffer.from(cursor, 'base64url');
  return { nonce: bytes.subarray(0, nonceBytes), body: bytes.subarray(nonceBytes) };
}
