import { SpikeError } from '@spike/error';

/** First byte of what is sealed: the rest is UTF-8 JSON. Another layout gets another number. */
const jsonFormat = 1;

/** Layout of every record that a service seals. Its members are named by the noun's own file. */
export function encodeRecord(record: object): Uint8Array {
  const text = JSON.stringify(record);
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text));
  bytes[0] = jsonFormat;
  bytes.write(text, 1);
  return bytes;
}

/** Throws `store_integrity` for a format of a later release, and for what no release wrote. */
export function decodeRecord(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes[0] !== jsonFormat) throw damaged('a record has a format that this release does not know');
  return parseRecord(Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1).toString());
}

/** Throws `store_integrity` for what is no JSON object. */
export function parseRecord(text: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw damaged('a record opens to something that is no record', cause);
  }
  if (!isRecord(parsed)) throw damaged('a record opens to something that is no record');
  return parsed;
}

export function damaged(message: string, cause?: unknown): SpikeError {
  return new SpikeError('store_integrity', message, cause === undefined ? {} : { cause });
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function readText(record: Readonly<Record<string, unknown>>, name: string): string {
  const value = record[name];
  if (typeof value === 'string') return value;
  throw damaged(`a record has no ${name}`);
}

/** A whole number from 0 on: a version, a count, milliseconds since 1970. */
export function readNumber(record: Readonly<Record<string, unknown>>, name: string): number {
  const value = record[name];
  if (isWhole(value)) return value;
  throw damaged(`a record has no ${name}`);
}

export function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
