import { SpiffeError } from '../error.ts';
import type { JsonObject } from '../json.ts';
import { isObject } from '../json.ts';
import type { Schema } from './schema.ts';
import { WireReader, WireWriter } from './wire.ts';

/** Claims nest a few levels; a message must not choose how deep we call ourselves. */
const deepest = 32;
/** More values than the claims of any token have. */
const mostValues = 4096;

/** Field numbers of google.protobuf.Value. */
const kind = { null: 1, number: 2, text: 3, flag: 4, struct: 5, list: 6 } as const;

/**
 * google.protobuf.Struct, the JSON object of protobuf. Numbers are doubles there, so a bigint becomes one. Throws
 * SpiffeError `protocol_invalid`, or `limit_exceeded` for what is too deep or too much.
 */
export const structSchema: Schema<JsonObject> = {
  encode: (value) => encodeStruct(value, new Budget(), 0),
  decode: (bytes) => decodeStruct(bytes, new Budget(), 0),
};

class Budget {
  #values = 0;

  spend(depth: number): void {
    if (++this.#values > mostValues || depth > deepest)
      throw new SpiffeError('limit_exceeded', 'protobuf: a Struct has too many values, or nests too deep');
  }
}

function encodeStruct(value: JsonObject, budget: Budget, depth: number): Uint8Array {
  const writer = new WireWriter();
  for (const [name, member] of Object.entries(value)) {
    const entry = new WireWriter();
    entry.text(1, name);
    entry.bytes(2, encodeValue(member, budget, depth + 1));
    writer.bytes(1, entry.finish());
  }
  return writer.finish();
}

function encodeValue(value: unknown, budget: Budget, depth: number): Uint8Array {
  budget.spend(depth);
  const writer = new WireWriter();
  if (typeof value === 'string') writer.text(kind.text, value);
  else if (typeof value === 'number' || typeof value === 'bigint') writer.double(kind.number, Number(value));
  else if (typeof value === 'boolean') writer.flag(kind.flag, value);
  else if (Array.isArray(value)) {
    const list = new WireWriter();
    for (const one of value) list.bytes(1, encodeValue(one, budget, depth + 1));
    writer.bytes(kind.list, list.finish());
  } else if (isObject(value)) writer.bytes(kind.struct, encodeStruct(value, budget, depth));
  else writer.flag(kind.null, false);
  return writer.finish();
}

function decodeStruct(bytes: Uint8Array, budget: Budget, depth: number): JsonObject {
  const members = new Map<string, unknown>();
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag.number !== 1) {
      reader.skip(tag);
      continue;
    }
    const [name, value] = decodeEntry(reader.view(tag), budget, depth);
    members.set(name, value);
  }
  return Object.fromEntries(members);
}

function decodeEntry(bytes: Uint8Array, budget: Budget, depth: number): readonly [string, unknown] {
  let name = '';
  let value: unknown = null;
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag.number === 1) name = reader.text(tag);
    else if (tag.number === 2) value = decodeValue(reader.view(tag), budget, depth + 1);
    else reader.skip(tag);
  }
  return [name, value];
}

/** The last of several kinds counts, as for every oneof. */
function decodeValue(bytes: Uint8Array, budget: Budget, depth: number): unknown {
  budget.spend(depth);
  let value: unknown = null;
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag.number === kind.null) {
      reader.flag(tag);
      value = null;
    } else if (tag.number === kind.number) value = reader.double(tag);
    else if (tag.number === kind.text) value = reader.text(tag);
    else if (tag.number === kind.flag) value = reader.flag(tag);
    else if (tag.number === kind.struct) value = decodeStruct(reader.view(tag), budget, depth);
    else if (tag.number === kind.list) value = decodeList(reader.view(tag), budget, depth);
    else reader.skip(tag);
  }
  return value;
}

function decodeList(bytes: Uint8Array, budget: Budget, depth: number): readonly unknown[] {
  const values: unknown[] = [];
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag.number === 1) values.push(decodeValue(reader.view(tag), budget, depth + 1));
    else reader.skip(tag);
  }
  return values;
}
