import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatJson, parseJson } from '../json.ts';
import { fromWireValues, toWireValues, type MixedValues } from './mixed-values.ts';
import { toValueMap } from './value-map.ts';

const key = fc.constantFrom('a', 'b', '__proto__', 'constructor', 'toString', 'hasOwnProperty');
const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 100 }));
const mixed = fc
  .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name })
  .map((entries): MixedValues => Object.fromEntries(entries));

void test('texts and bytes come back as they were, mixed and under any name', () => {
  fc.assert(
    fc.property(mixed, (values) => {
      const { values: texts, encoding } = toWireValues(values);
      const isBinary = Object.values(values).some((one) => typeof one !== 'string');
      assert.equal(encoding !== undefined, isBinary);
      const wire = parseJson(formatJson({ texts, encoding: encoding ?? {} })) as {
        texts: Record<string, string>;
        encoding: Record<string, string>;
      };
      const back = fromWireValues({ values: wire.texts, encoding: wire.encoding });
      assert.deepEqual(Object.entries(back), Object.entries(values));
    }),
  );
});

void test('a text that looks like base64 stays a text', () => {
  assert.deepEqual({ ...fromWireValues({ values: toValueMap({ a: 'AQID' }) }) }, { a: 'AQID' });
  assert.deepEqual(toWireValues({ a: 'AQID' }).encoding, undefined);
});

for (const [what, text] of Object.entries({
  'no padding': 'AQ',
  'another alphabet': '-_-_',
  'a line break': 'AQID\nAQID',
  'spare bits': 'AR==',
  'a text': 'hunter2!',
})) {
  void test(`base64 with ${what} is refused, and the words do not show it`, () => {
    const wire = { values: toValueMap({ a: text }), encoding: toValueMap({ a: 'base64' }) };
    assert.throws(
      () => fromWireValues(wire),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'data_invalid_input');
        assert.ok(!error.message.includes(text));
        return true;
      },
    );
  });
}

void test('an encoding of a value that is not there is refused', () => {
  for (const name of ['b', 'toString', '__proto__']) {
    const encoding = toValueMap(JSON.parse(`{"${name}":"base64"}`));
    assert.throws(() => fromWireValues({ values: toValueMap({ a: 'AQ==' }), encoding }), {
      code: 'data_invalid_input',
    });
  }
});
