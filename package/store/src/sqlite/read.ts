import type { SQLOutputValue } from 'node:sqlite';
import { SpikeError } from '@spike/error';
import { sizeOfRow } from '../limit.ts';
import { toSealed } from '../seal.ts';
import { maxKeyBytes, type Head, type Row } from '../store.ts';

type Columns = Readonly<Record<string, SQLOutputValue>>;

export function readRow(columns: Columns): Row {
  return {
    key: bytesOf(columns, 'key'),
    format: numberOf(columns, 'format'),
    suite: numberOf(columns, 'suite'),
    term: numberOf(columns, 'term'),
    revision: numberOf(columns, 'revision'),
    version: numberOf(columns, 'version'),
    field: numberOf(columns, 'field'),
    nonce: bytesOf(columns, 'nonce'),
    // What a store calls sealed is checked when the vault opens it.
    body: toSealed(bytesOf(columns, 'body')),
  };
}

/** Rows up to the one that reaches so many bytes, and one at least; the others are not read from the disk. */
export function readPage(columns: Iterable<Columns>, mostBytes = Infinity): readonly Row[] {
  const rows: Row[] = [];
  let bytes = 0;
  for (const each of columns) {
    const row = readRow(each);
    rows.push(row);
    bytes += sizeOfRow(row);
    if (bytes >= mostBytes) break;
  }
  return rows;
}

export function readHead(columns: Columns): Head {
  return { revision: numberOf(columns, 'revision'), bytes: bytesOf(columns, 'bytes') };
}

/** Above every key: longer than the longest and of the highest byte. */
const beyond = new Uint8Array(maxKeyBytes + 1).fill(0xff);

/** The half-open range of keys that start with `prefix` and sort behind `after`. */
export function rangeOf(prefix: Uint8Array, after: Uint8Array | undefined): [Uint8Array, Uint8Array] {
  const last = prefix.findLastIndex((byte) => byte !== 0xff);
  // A copy: `slice` of a Buffer is a view of it.
  const to = last < 0 ? beyond : Uint8Array.from(prefix.subarray(0, last + 1));
  if (last >= 0) to[last] = (prefix[last] ?? 0) + 1;
  if (after === undefined || Buffer.compare(after, prefix) < 0) return [prefix, to];
  // The next key in byte order is this one and a zero byte.
  const from = new Uint8Array(after.byteLength + 1);
  from.set(after);
  return [from, to];
}

function bytesOf(columns: Columns, name: string): Uint8Array {
  const value = columns[name];
  if (value instanceof Uint8Array) return value;
  throw damaged(name);
}

function numberOf(columns: Columns, name: string): number {
  const value = columns[name];
  if (typeof value === 'number') return value;
  throw damaged(name);
}

function damaged(name: string): SpikeError {
  return new SpikeError('store_integrity', `a row of the store has no ${name}; restore a backup`);
}
