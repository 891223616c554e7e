import { toSealed } from '../seal.ts';
import { tables, type Expect, type Op, type Row } from '../store.ts';

/**
 * A commit as one buffer, which is handed over to the Worker without a copy. Cloning the operations would be slower,
 * and a clone of a view takes the whole buffer under it along, which can be a slab of Node's pool with other
 * people's plaintext in it.
 */
export type Frame = ArrayBuffer;

const kinds = ['put', 'delete', 'head'] as const;
const clearNumbers = ['format', 'suite', 'term', 'revision', 'version', 'field'] as const;
const headerBytes = 2 + 1 + 8;

export function encodeFrame(ops: readonly Op[]): Frame {
  const writer = new FrameWriter(ops.reduce((bytes, op) => bytes + measure(op), 4));
  writer.uint32(ops.length);
  for (const op of ops) {
    writer.uint8(kinds.indexOf(op.kind));
    writer.uint8(op.kind === 'head' ? 0 : tables.indexOf(op.table));
    writer.expect(op.expect);
    switch (op.kind) {
      case 'put':
        for (const name of clearNumbers) writer.number(op.row[name]);
        writer.bytes(op.row.key);
        writer.bytes(op.row.nonce);
        writer.bytes(op.row.body);
        break;
      case 'delete':
        writer.bytes(op.key);
        break;
      case 'head':
        writer.number(op.revision);
        writer.bytes(op.bytes);
        break;
    }
  }
  return writer.buffer;
}

/** The operations of a frame; their bytes are views of it. */
export function* decodeFrame(frame: Frame): Generator<Op, void, undefined> {
  const reader = new FrameReader(frame);
  for (let count = reader.uint32(); count > 0; count--) {
    const kind = kinds[reader.uint8()];
    const table = tables[reader.uint8()];
    const expect = reader.expect();
    if (kind === 'put' && table !== undefined) yield { kind, table, row: decodeRow(reader), expect };
    else if (kind === 'delete' && table !== undefined) yield { kind, table, key: reader.bytes(), expect };
    else if (kind === 'head') {
      const revision = reader.number();
      yield { kind, revision, bytes: reader.bytes(), expect };
    } else throw new RangeError('a commit does not decode');
  }
}

function decodeRow(reader: FrameReader): Row {
  const format = reader.number();
  const suite = reader.number();
  const term = reader.number();
  const revision = reader.number();
  const version = reader.number();
  const field = reader.number();
  const key = reader.bytes();
  const nonce = reader.bytes();
  return { key, format, suite, term, revision, version, field, nonce, body: toSealed(reader.bytes()) };
}

function measure(op: Op): number {
  switch (op.kind) {
    case 'put':
      return (
        headerBytes + 8 * 6 + 4 * 3 + op.row.key.byteLength + op.row.nonce.byteLength + op.row.body.byteLength
      );
    case 'delete':
      return headerBytes + 4 + op.key.byteLength;
    case 'head':
      return headerBytes + 8 + 4 + op.bytes.byteLength;
  }
}

class FrameWriter {
  readonly buffer: ArrayBuffer;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.buffer = new ArrayBuffer(size);
    this.#view = new DataView(this.buffer);
    this.#bytes = new Uint8Array(this.buffer);
  }

  uint8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  uint32(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  /** Whole numbers up to 2^53 - 1 are exact in a double. */
  number(value: number): void {
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  bytes(value: Uint8Array): void {
    this.uint32(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
  }

  expect(expect: Expect): void {
    this.uint8(expect === 'any' ? 0 : expect === 'absent' ? 1 : 2);
    this.number(typeof expect === 'object' ? expect.revision : 0);
  }
}

class FrameReader {
  readonly #view: DataView;
  #at = 0;

  constructor(frame: Frame) {
    this.#view = new DataView(frame);
  }

  uint8(): number {
    this.#at += 1;
    return this.#view.getUint8(this.#at - 1);
  }

  uint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  number(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  bytes(): Uint8Array {
    const length = this.uint32();
    this.#at += length;
    return new Uint8Array(this.#view.buffer, this.#at - length, length);
  }

  expect(): Expect {
    const kind = this.uint8();
    const revision = this.number();
    return kind === 0 ? 'any' : kind === 1 ? 'absent' : { revision };
  }
}
