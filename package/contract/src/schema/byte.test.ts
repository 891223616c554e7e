import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './byte.ts';

void test('base64 is what Node and Go write, and comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = encodeBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64'));
      assert.deepEqual(decodeBase64(text), bytes);
    }),
  );
});

void test('line breaks are ignored, as in Go', () => {
  assert.deepEqual(decodeBase64('AQ\r\nID\n'), Uint8Array.of(1, 2, 3));
});

for (const text of [
  'AQ',
  'AQ=',
  '=AQ=',
  'A===',
  'AQ==AQ==',
  'AQI-',
  'AQI_',
  'AR==',
  'AQJ=',
  'A Q=',
  'äAA=',
  '====',
]) {
  void test(`${JSON.stringify(text)} is not base64`, () => {
    assert.equal(decodeBase64(text), undefined);
  });
}
