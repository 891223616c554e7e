import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeError } from '../error.ts';
import { bytes, mapOf, message, repeatedBytes, repeatedMessage, repeatedText, text } from './schema.ts';

const inner = message({ name: text(1), body: bytes(2) });
const outer = message({
  title: text(1),
  items: repeatedMessage(2, inner),
  raw: repeatedBytes(3),
  labels: repeatedText(4),
  byName: mapOf(200, bytes),
  notes: mapOf(536_870_911, text),
});

const anyBytes = fc.uint8Array({ maxLength: 300 });
const anyText = fc.string({ unit: 'grapheme', maxLength: 40 });
const anyInner = fc.record({ name: anyText, body: anyBytes });
const anyOuter = fc.record({
  title: anyText,
  items: fc.array(anyInner, { maxLength: 5 }),
  raw: fc.array(anyBytes, { maxLength: 5 }),
  labels: fc.array(anyText, { maxLength: 5 }),
  byName: fc.array(fc.tuple(anyText, anyBytes), { maxLength: 5 }).map((entries) => new Map(entries)),
  notes: fc.array(fc.tuple(anyText, anyText), { maxLength: 5 }).map((entries) => new Map(entries)),
});

const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'));
const refused = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;

/** Buffers and views become plain arrays of the same bytes, which is what equality is about here. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

test('a message that was encoded decodes to itself', () => {
  fc.assert(
    fc.property(anyOuter, (value) => {
      assert.deepEqual(plain(outer.decode(outer.encode(value))), plain(value));
    }),
  );
});

test('random bytes give a message or a SpiffeError, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      onlySpiffeError(() => outer.decode(noise));
    }),
    { numRuns: 2000 },
  );
});

test('a message with changed, missing or added bytes gives a message or a SpiffeError, and nothing else', () => {
  const anyChange = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    kind: fc.constantFrom('set', 'cut', 'insert'),
  });
  fc.assert(
    fc.property(anyOuter, fc.array(anyChange, { minLength: 1, maxLength: 4 }), (value, changes) => {
      let encoded = [...outer.encode(value)];
      for (const { at, byte, kind } of changes) {
        const place = encoded.length === 0 ? 0 : at % encoded.length;
        if (kind === 'set') encoded[place] = byte;
        else if (kind === 'cut') encoded = encoded.slice(0, place);
        else encoded.splice(place, 0, byte);
      }
      onlySpiffeError(() => outer.decode(Uint8Array.from(encoded)));
    }),
    { numRuns: 1000 },
  );
});

function onlySpiffeError(work: () => void): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof SpiffeError, String(error));
  }
}

test('the bytes are those of protoc', () => {
  // Worked out by hand from protobuf.dev/programming-guides/encoding: tag = number << 3 | 2, then length.
  assert.deepEqual(
    outer.encode({
      title: 'ab',
      items: [{ name: '', body: hex('ff') }],
      raw: [hex('')],
      labels: [],
      byName: new Map([['k', hex('01')]]),
      notes: new Map(),
    }),
    Buffer.from(hex('0a 02 6162  12 03 12 01 ff  1a 00  c2 0c 06 0a 01 6b 12 01 01')),
  );
});

test('defaults are not written, and what is absent has its default', () => {
  assert.equal(inner.encode({ name: '', body: new Uint8Array(0) }).length, 0);
  assert.deepEqual(plain(inner.decode(new Uint8Array(0))), { name: '', body: new Uint8Array(0) });
});

test('unknown fields of every wire type are skipped', () => {
  const unknown = hex('78 ffffffffffffffffff01  79 0102030405060708  7a 01 00  7d 01020304');
  assert.deepEqual(plain(inner.decode(Buffer.concat([unknown, hex('0a 01 61'), unknown]))), {
    name: 'a',
    body: new Uint8Array(0),
  });
});

test('of a field that is there twice the last one counts, in maps too', () => {
  assert.equal(inner.decode(hex('0a0161 0a0162')).name, 'b');
  const twice = hex('c20c06 0a016b 120101  c20c06 0a016b 120102');
  assert.deepEqual(plain(outer.decode(twice).byName), new Map([['k', hex('02')]]));
});

test('a map entry without key or value has the defaults', () => {
  assert.deepEqual(plain(outer.decode(hex('c20c00')).byName), new Map([['', new Uint8Array(0)]]));
});

test('bytes that are not protobuf are refused', () => {
  const cases = {
    'a varint that is cut off': '80',
    'a varint of eleven bytes': '78 8080808080808080808001',
    'a varint of more than 64 bits': '78 ffffffffffffffffff02',
    'field number 0': '02 00',
    'a field number above 2^29 - 1': '82 80 80 80 10 00',
    'a length past the end': '0a 02 61',
    'an enormous length': '0a ffffffffffffffffff01',
    'the start of a group': '0b',
    'the end of a group': '0c',
    'an unknown group': '7b 7c',
    'wire type 6': '7e',
    'wire type 7': '7f',
    'a known field as varint': '08 00',
    'a known field as fixed32': '0d 00000000',
    'an unknown fixed64 that is cut off': '79 0102',
    'text that is not UTF-8': '0a 02 c3 28',
    'text with a surrogate': '0a 03 ed a0 80',
  };
  for (const [name, digits] of Object.entries(cases)) {
    assert.throws(() => inner.decode(hex(digits)), refused('protocol_invalid'), name);
  }
});

test('more entries than anybody needs are refused, and as many as allowed are read fast', () => {
  assert.equal(outer.decode(Buffer.alloc(2 * 4096, hex('1a00'))).raw.length, 4096);
  assert.throws(() => outer.decode(Buffer.alloc(2 * 4097, hex('1a00'))), refused('limit_exceeded'));
});
