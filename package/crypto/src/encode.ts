import { SpikeError } from '@spike/error';

export type Field = Uint8Array | string | number;

const tag = { bytes: 1, text: 2, integer: 3 } as const;
const headBytes = 5;

/**
 * One byte string for a list of fields, and never the same one for two different lists: each field is its kind (one
 * byte), its length (four, big-endian) and its bytes. Text is UTF-8; a number is a safe integer from 0, in eight bytes.
 * Used wherever bytes are authenticated or hashed together. Throws RangeError for other numbers and for ill-formed text.
 */
export function encodeFields(...fields: readonly Field[]): Uint8Array {
  let size = 0;
  for (const field of fields) size += headBytes + sizeOf(field);
  // From the pool: this runs several times for each row, and every byte of it is written below.
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const field of fields) {
    const length = sizeOf(field);
    out.writeUInt32BE(length, at + 1);
    const start = at + headBytes;
    if (typeof field === 'number') {
      out[at] = tag.integer;
      writeInteger(out, field, start);
    } else if (typeof field === 'string') {
      out[at] = tag.text;
      out.write(field, start, length, 'utf8');
    } else {
      out[at] = tag.bytes;
      out.set(field, start);
    }
    at = start + length;
  }
  return out;
}

function sizeOf(field: Field): number {
  if (typeof field === 'number') return 8;
  if (typeof field !== 'string') return field.length;
  // A lone surrogate becomes U+FFFD in UTF-8, and two different texts would then encode alike.
  if (!field.isWellFormed()) throw new RangeError('text to encode must be well-formed');
  return Buffer.byteLength(field, 'utf8');
}

/** A safe integer from 0 as eight bytes, big-endian, so that the order of the bytes is the order of the numbers. */
export function integerBytes(value: number): Uint8Array {
  const out = Buffer.alloc(8);
  writeInteger(out, value, 0);
  return out;
}

function writeInteger(out: Buffer, value: number, at: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError('a number to encode is a safe integer from 0');
  }
  // In two halves: a BigInt for each number was a third of the time that a row takes.
  out.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  out.writeUInt32BE(value % 2 ** 32, at + 4);
}

/** Reads back what `encodeFields` wrote, field by field; throws SpikeError `data_invalid_input` on anything else. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A view, not a copy, of at most `limit` bytes. */
  bytes(limit: number): Uint8Array {
    return this.#take(tag.bytes, limit);
  }

  /** Bytes of exactly this length. */
  exactly(length: number): Uint8Array {
    const bytes = this.#take(tag.bytes, length);
    if (bytes.length !== length) throw malformed(`a field should have ${length} bytes`);
    return bytes;
  }

  text(limit: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#take(tag.text, limit));
    } catch (cause) {
      if (cause instanceof SpikeError) throw cause;
      throw malformed('a text is not UTF-8', cause);
    }
  }

  /** An integer from 0 to `limit`. */
  integer(limit: number = Number.MAX_SAFE_INTEGER): number {
    const bytes = this.#take(tag.integer, 8);
    if (bytes.length !== 8) throw malformed('a number should have 8 bytes');
    const value = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
    if (!Number.isSafeInteger(value) || value > limit) throw malformed('a number is too large');
    return value;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  end(): void {
    if (!this.done) throw malformed('something follows the last field');
  }

  #take(kind: number, limit: number): Uint8Array {
    const at = this.#at;
    if (this.#bytes.length - at < headBytes) throw malformed('a field is missing');
    if (this.#bytes[at] !== kind) throw malformed('a field is of another kind');
    const length = this.#view.getUint32(at + 1);
    if (length > limit) throw malformed('a field is too long');
    if (this.#bytes.length - at - headBytes < length) throw malformed('a field is cut off');
    this.#at = at + headBytes + length;
    return this.#bytes.subarray(at + headBytes, this.#at);
  }
}

function malformed(message: string, cause?: unknown): SpikeError {
  return new SpikeError('data_invalid_input', message, { cause });
}
