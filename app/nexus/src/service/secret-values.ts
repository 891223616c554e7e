import type { MixedValues } from '@spike/contract';
import { damaged, decodeRecord, isRecord, isWhole, parseRecord, readNumber, readText } from './record.ts';

/*
 * The values of one version. A record of this layout is its number, the length of a head (four bytes, big-endian), the
 * head as JSON, and the values one after another as they are: JSON would write one byte as six in places, and has no
 * way to write bytes. Releases before this one wrote all of it as JSON, which is still read.
 */

const format = 2;
const headAt = 5;
const kinds = { text: 0, bytes: 1 } as const;

export function encodeValues(path: string, version: number, values: MixedValues): Uint8Array {
  const entries = Object.entries(values);
  const lengths = entries.map(([, value]) => sizeOfValue(value));
  const head = JSON.stringify({
    path,
    version,
    values: entries.map(([key, value], index) => [
      key,
      typeof value === 'string' ? kinds.text : kinds.bytes,
      lengths[index],
    ]),
  });
  const headBytes = Buffer.byteLength(head);
  const out = Buffer.allocUnsafe(headAt + headBytes + lengths.reduce((sum, length) => sum + length, 0));
  out[0] = format;
  out.writeUInt32BE(headBytes, 1);
  out.write(head, headAt);
  let at = headAt + headBytes;
  for (const [index, [, value]] of entries.entries()) {
    if (typeof value === 'string') out.write(value, at);
    else out.set(value, at);
    at += lengths[index] ?? 0;
  }
  return out;
}

/** Throws `store_integrity` when this is not that version of that secret. */
export function decodeValues(bytes: Uint8Array, path: string, version: number): MixedValues {
  if (bytes[0] !== format) {
    const record = decodeRecord(bytes);
    assertPlace(record, path, version);
    return readTexts(record['values']);
  }
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { record, end } = headOf(bytes);
  assertPlace(record, path, version);
  let at = end;
  const entries = record['values'];
  if (!Array.isArray(entries)) throw incomplete();
  const values = Object.create(null) as Record<string, string | Uint8Array>;
  for (const entry of entries as readonly unknown[]) {
    const [key, kind, length] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
    if (typeof key !== 'string' || !isWhole(length)) throw incomplete();
    if (kind !== kinds.text && kind !== kinds.bytes)
      throw damaged('a value is of a kind that this release does not know');
    values[key] =
      kind === kinds.text
        ? all.toString('utf8', at, at + length)
        : Uint8Array.from(all.subarray(at, at + length));
    at += length;
  }
  // Also when one is said to be longer than what is left.
  if (at !== all.length) throw incomplete();
  return values;
}

/** Which version of which secret this is, without reading its values. Throws `store_integrity`. */
export function readPlace(bytes: Uint8Array): { readonly path: string; readonly version: number } {
  const record = bytes[0] === format ? headOf(bytes).record : decodeRecord(bytes);
  return { path: readText(record, 'path'), version: readNumber(record, 'version') };
}

/** In bytes, as it is kept. */
export function sizeOfValue(value: string | Uint8Array): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
}

/** The head of this layout, and where the values begin. */
function headOf(bytes: Uint8Array): {
  readonly record: Readonly<Record<string, unknown>>;
  readonly end: number;
} {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all.length < headAt) throw incomplete();
  const end = headAt + all.readUInt32BE(1);
  if (end > all.length) throw incomplete();
  return { record: parseRecord(all.toString('utf8', headAt, end)), end };
}

function assertPlace(record: Readonly<Record<string, unknown>>, path: string, version: number): void {
  if (record['path'] !== path || record['version'] !== version) {
    throw damaged('a version of a secret lies in the place of another');
  }
}

function readTexts(record: unknown): MixedValues {
  if (!isRecord(record)) throw incomplete();
  const values = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(record)) {
    if (typeof value !== 'string') throw incomplete();
    values[key] = value;
  }
  return values;
}

function incomplete(): Error {
  return damaged('a version of a secret has no values');
}
