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
  const parts = fields.map(toPart);
  const out = new Uint8Array(parts.reduce((size, part) => size + headBytes + part.bytes.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    out[at] = part.tag;
    view.setUint32(at + 1, part.bytes.length);
    out.set(part.bytes, at + headBytes);
    at += headBytes + part.bytes.length;
  }
  return out;
}

function toPart(field: Field): { tag: number; bytes: Uint8Array } {
  if (typeof field === 'number') return { tag: tag.integer, bytes: integerBytes(field) };
  if (typeof field !== 'string') return { tag: tag.bytes, bytes: field };
  // A lone surrogate becomes U+FFFD in UTF-8, and two different texts would then encode alike.
  if (!field.isWellFormed()) throw new RangeError('text to encode must be well-formed');
  return { tag: tag.text, bytes: Buffer.from(field, 'utf8') };
}

/** A safe integer from 0 as eight bytes, big-endian, so that the order of the bytes is the order of the numbers. */
export function integerBytes(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError('a number to encode is a safe integer from 0');
  }
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value));
  return out;
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
