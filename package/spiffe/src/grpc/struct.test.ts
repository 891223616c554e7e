import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { structSchema } from './struct.ts';
import { WireWriter } from './wire.ts';

/** What JSON has, without the negative zero that deepEqual tells apart and JSON does not. */
const json = fc.jsonValue({ maxDepth: 5 }).map((value): unknown => JSON.parse(JSON.stringify(value)));

test('a JSON object becomes a Struct and the same object again', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), json, { noNullPrototype: true }), (value) => {
      const own = Object.fromEntries(Object.entries(value));
      assert.deepEqual(structSchema.decode(structSchema.encode(own)), own);
    }),
  );
});

test('the bytes are those of google.protobuf.Struct', () => {
  const hex = (value: Record<string, unknown>) => Buffer.from(structSchema.encode(value)).toString('hex');
  assert.equal(hex({ a: 'b' }), '0a08' + '0a0161' + '1203' + '1a0162');
  assert.equal(hex({ a: true }), '0a07' + '0a0161' + '1202' + '2001');
  assert.equal(hex({ a: null }), '0a07' + '0a0161' + '1202' + '0800');
  assert.equal(hex({ a: 1 }), '0a0e' + '0a0161' + '1209' + '11000000000000f03f');
  assert.equal(hex({ a: [] }), '0a07' + '0a0161' + '1202' + '3200');
});

test('a Struct that nests without end, or has values without end, is refused', () => {
  let deep: unknown = 'x';
  for (let depth = 0; depth < 40; depth++) deep = [deep];
  const code = 'limit_exceeded';
  assert.throws(() => structSchema.encode({ deep }), { code });
  assert.throws(() => structSchema.encode({ wide: Array.from({ length: 5000 }, () => 1) }), { code });
  // Built by hand, since no encoder makes it: a list in a list in a list.
  let value: Uint8Array = new Uint8Array(0);
  for (let depth = 0; depth < 40; depth++) value = wrap(6, wrap(1, value));
  assert.throws(() => structSchema.decode(wrap(1, wrap(2, value))), { code });
  assert.doesNotThrow(() => structSchema.decode(wrap(1, wrap(2, wrap(6, wrap(1, new Uint8Array(0)))))));
});

function wrap(number: number, bytes: Uint8Array): Uint8Array {
  const writer = new WireWriter();
  writer.bytes(number, bytes);
  return writer.finish();
}
