import { SpiffeError } from '../error.ts';
import { strictText } from '../text.ts';

/** Protobuf wire types (protobuf.dev/programming-guides/encoding); 3 and 4 are the groups that proto3 does not have. */
const varintType = 0;
const fixed64Type = 1;
const lengthType = 2;
const fixed32Type = 5;

const highestFieldNumber = 2 ** 29 - 1;

function refuse(message: string, cause?: unknown): SpiffeError {
  return new SpiffeError('protocol_invalid', `protobuf: ${message}`, { cause });
}

export interface FieldTag {
  readonly number: number;
  readonly wireType: number;
}

/** Reads one message front to back. Every method throws SpiffeError `protocol_invalid` on bytes that are not protobuf. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  tag(): FieldTag {
    const value = this.#varint();
    const number = Number(value >> 3n);
    if (value > 0xffff_ffffn || number === 0 || number > highestFieldNumber)
      throw refuse('a field number is out of range');
    return { number, wireType: Number(value & 7n) };
  }

  /** A view into the message, of a field whose value says its own length. */
  view(tag: FieldTag): Uint8Array {
    if (tag.wireType !== lengthType)
      throw refuse(`field ${tag.number} has wire type ${tag.wireType} instead of 2`);
    return this.#take(this.#length());
  }

  text(tag: FieldTag): string {
    try {
      return strictText.decode(this.view(tag));
    } catch (error) {
      if (error instanceof SpiffeError) throw error;
      throw refuse(`field ${tag.number} is not UTF-8`, error);
    }
  }

  /** A bool, or an enum of which only zero is of interest. */
  flag(tag: FieldTag): boolean {
    if (tag.wireType !== varintType)
      throw refuse(`field ${tag.number} has wire type ${tag.wireType} instead of 0`);
    return this.#varint() !== 0n;
  }

  double(tag: FieldTag): number {
    if (tag.wireType !== fixed64Type)
      throw refuse(`field ${tag.number} has wire type ${tag.wireType} instead of 1`);
    const view = this.#take(8);
    return new DataView(view.buffer, view.byteOffset, 8).getFloat64(0, true);
  }

  skip(tag: FieldTag): void {
    switch (tag.wireType) {
      case varintType:
        this.#varint();
        return;
      case fixed64Type:
        this.#take(8);
        return;
      case lengthType:
        this.#take(this.#length());
        return;
      case fixed32Type:
        this.#take(4);
        return;
      default:
        throw refuse(`field ${tag.number} has wire type ${tag.wireType}, which proto3 does not have`);
    }
  }

  #length(): number {
    const length = this.#varint();
    if (length > BigInt(this.#bytes.length - this.#at))
      throw refuse('a length reaches past the end of the message');
    return Number(length);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw refuse('the message is cut off');
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw refuse('the message is cut off');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) break;
        return value;
      }
    }
    throw refuse('a varint is longer than 64 bits');
  }
}

/** Collects the fields of one message. */
export class WireWriter {
  readonly #chunks: Uint8Array[] = [];

  /** A field of wire type 2. An empty one is written too: leaving out defaults is the caller's decision. */
  bytes(number: number, value: Uint8Array): void {
    this.#chunks.push(encodeVarint(number * 8 + lengthType), encodeVarint(value.length), value);
  }

  text(number: number, value: string): void {
    this.bytes(number, Buffer.from(value, 'utf8'));
  }

  flag(number: number, value: boolean): void {
    this.#chunks.push(encodeVarint(number * 8 + varintType), Uint8Array.of(value ? 1 : 0));
  }

  double(number: number, value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#chunks.push(encodeVarint(number * 8 + fixed64Type), bytes);
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
