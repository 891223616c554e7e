import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';

import { encodeFields, FieldReader, integerBytes, type Field } from './encode.ts';

const field = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.string({ unit: anyCharacter, maxLength: 10 }),
  fc.maxSafeNat(),
);
const refused = (thrown: unknown): boolean =>
  thrown instanceof SpikeError && thrown.code === 'data_invalid_input';

function readAll(bytes: Uint8Array, like: readonly Field[]): Field[] {
  const reader = new FieldReader(bytes);
  const out = like.map((one) => {
    if (typeof one === 'number') return reader.integer();
    return typeof one === 'string' ? reader.text(100) : Uint8Array.from(reader.bytes(100));
  });
  reader.end();
  return out;
}

test('fields read back as what was encoded', () => {
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      assert.deepEqual(readAll(encodeFields(...fields), fields), fields);
    }),
  );
});

test('two different lists never encode alike', () => {
  const same = (a: readonly Field[], b: readonly Field[]): boolean =>
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i];
      if (one instanceof Uint8Array) return other instanceof Uint8Array && Buffer.from(one).equals(other);
      return one === other;
    });
  const few = fc.array(fc.oneof(fc.constantFrom('', 'a', 'ab', 0, 1), fc.uint8Array({ maxLength: 2 })), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(few, few, (a, b) => {
      assert.equal(Buffer.from(encodeFields(...a)).equals(encodeFields(...b)), same(a, b));
    }),
    { numRuns: 2000 },
  );
  const close: readonly Field[][] = [
    ['ab', 'c'],
    ['a', 'bc'],
    ['abc'],
    ['abc', ''],
    [Buffer.from('abc')],
    [1, 2],
    [integerBytes(1), integerBytes(2)],
  ];
  assert.equal(
    new Set(close.map((one) => Buffer.from(encodeFields(...one)).toString('hex'))).size,
    close.length,
  );
});

test('numbers that are no safe integers and ill-formed text are not encoded', () => {
  for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) assert.throws(() => encodeFields(value), RangeError);
  assert.throws(() => encodeFields('\ud800'), RangeError);
});

test('a reader refuses what is cut off, too long, of another kind or followed by more', () => {
  const bytes = encodeFields('text', 7);
  assert.throws(() => new FieldReader(bytes).bytes(9), refused);
  assert.throws(() => new FieldReader(bytes).text(3), refused);
  const reader = new FieldReader(bytes);
  assert.equal(reader.text(4), 'text');
  assert.throws(() => {
    reader.end();
  }, refused);
  assert.throws(() => reader.integer(6), refused);
  assert.throws(() => new FieldReader(encodeFields(Uint8Array.of(1))).exactly(2), refused);
  assert.throws(() => new FieldReader(Uint8Array.of(2, 0, 0, 0, 1, 0xff)).text(9), refused);
});

const reads = [
  (reader: FieldReader): unknown => reader.integer(),
  (reader: FieldReader): unknown => reader.text(100),
  (reader: FieldReader): unknown => reader.bytes(100),
];

test('no bytes make a reader throw anything but SpikeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...reads), (bytes, read) => {
      const reader = new FieldReader(bytes);
      try {
        for (;;) read(reader);
      } catch (thrown) {
        assert.ok(refused(thrown));
      }
    }),
    { numRuns: 2000 },
  );
});

test('the bytes of an integer sort as the integers do', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      assert.equal(Math.sign(Buffer.compare(integerBytes(a), integerBytes(b))), Math.sign(a - b));
    }),
  );
});
