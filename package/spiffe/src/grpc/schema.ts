import { SpiffeError } from '../error.ts';
import { WireReader, WireWriter, type FieldTag } from './wire.ts';

/** More entries of one field than any real message has; it bounds what four bytes on the wire may cost in memory. */
const mostEntries = 4096;

/** How one field of a message is read and written. All fields of the Workload API itself are of wire type 2. */
export interface Field<T> {
  readonly number: number;
  initial(): T;
  read(reader: WireReader, tag: FieldTag, previous: T): T;
  write(writer: WireWriter, value: T): void;
}

/** A message type as a table of its fields; encoding, decoding and the TypeScript type follow from the table. */
export interface Schema<T> {
  encode(message: T): Uint8Array;
  /** Throws SpiffeError `protocol_invalid` or `limit_exceeded`. Byte fields are views into `bytes`. */
  decode(bytes: Uint8Array): T;
}

export type MessageOf<S> = S extends Schema<infer T> ? T : never;

type ValueOf<F> = F extends Field<infer T> ? T : never;
type Values<F> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

export function message<F extends Readonly<Record<string, Field<unknown>>>>(fields: F): Schema<Values<F>> {
  const byNumber = new Map(Object.entries(fields).map(([name, field]) => [field.number, { name, field }]));
  return {
    encode(values) {
      const writer = new WireWriter();
      for (const [name, field] of Object.entries(fields)) field.write(writer, values[name]);
      return writer.finish();
    },
    decode(bytes) {
      const values: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(fields)) values[name] = field.initial();
      const reader = new WireReader(bytes);
      while (!reader.done) {
        const tag = reader.tag();
        const known = byNumber.get(tag.number);
        // Unknown fields are how a later version of the API looks to us: skipped, as proto3 asks.
        if (known === undefined) reader.skip(tag);
        else values[known.name] = known.field.read(reader, tag, values[known.name]);
      }
      return values as Values<F>;
    },
  };
}

export function text(number: number): Field<string> {
  return {
    number,
    initial: () => '',
    read: (reader, tag) => reader.text(tag),
    write: (writer, value) => {
      if (value !== '') writer.text(number, value);
    },
  };
}

export function bytes(number: number): Field<Uint8Array> {
  return {
    number,
    initial: () => new Uint8Array(0),
    read: (reader, tag) => reader.view(tag),
    write: (writer, value) => {
      if (value.length > 0) writer.bytes(number, value);
    },
  };
}

/** One message inside of another; absent, it is as if it were empty. */
export function nested<T>(number: number, schema: Schema<T>): Field<T> {
  return {
    number,
    initial: () => schema.decode(new Uint8Array(0)),
    read: (reader, tag) => schema.decode(reader.view(tag)),
    write: (writer, value) => writer.bytes(number, schema.encode(value)),
  };
}

export function repeatedText(number: number): Field<readonly string[]> {
  return repeated(
    number,
    (reader, tag) => reader.text(tag),
    (value) => Buffer.from(value, 'utf8'),
  );
}

export function repeatedBytes(number: number): Field<readonly Uint8Array[]> {
  return repeated(
    number,
    (reader, tag) => reader.view(tag),
    (value) => value,
  );
}

export function repeatedMessage<T>(number: number, schema: Schema<T>): Field<readonly T[]> {
  return repeated(
    number,
    (reader, tag) => schema.decode(reader.view(tag)),
    (value) => schema.encode(value),
  );
}

/** A `map<string, V>`: on the wire a repeated message of key and value, of which the last one with a key counts. */
export function mapOf<V>(number: number, value: (number: number) => Field<V>): Field<ReadonlyMap<string, V>> {
  const entry = message({ key: text(1), value: value(2) as Field<unknown> });
  return {
    number,
    initial: () => new Map(),
    read: (reader, tag, previous) => {
      const { key, value } = entry.decode(reader.view(tag));
      refuseTooMany(number, previous.size + 1);
      // Only the message being decoded holds it yet; copying it each time would cost the square of its size.
      return (previous as Map<string, V>).set(key, value as V);
    },
    write: (writer, entries) => {
      for (const [key, value] of entries) writer.bytes(number, entry.encode({ key, value }));
    },
  };
}

function repeated<T>(
  number: number,
  read: (reader: WireReader, tag: FieldTag) => T,
  encode: (value: T) => Uint8Array,
): Field<readonly T[]> {
  return {
    number,
    initial: () => [],
    read: (reader, tag, previous) => {
      refuseTooMany(number, previous.length + 1);
      (previous as T[]).push(read(reader, tag));
      return previous;
    },
    write: (writer, values) => {
      for (const value of values) writer.bytes(number, encode(value));
    },
  };
}

function refuseTooMany(number: number, count: number): void {
  if (count > mostEntries) {
    throw new SpiffeError('limit_exceeded', `protobuf: field ${number} has more than ${mostEntries} entries`);
  }
}
