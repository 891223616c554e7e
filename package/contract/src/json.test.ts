import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { formatJson, parseJson } from './json.ts';

const parse = (text: string): unknown => parseJson(Buffer.from(text));

void test('what is written comes back, keys like __proto__ included', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 10 }), (value) => {
      assert.deepEqual(parseJson(formatJson(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

void test('any bytes are parsed or refused with api_bad_request, which quotes none of them', () => {
  const jsonish = fc
    .string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', '1', 'a', 'ä', '\n'),
      maxLength: 200,
    })
    .map((text) => Buffer.from(text));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), jsonish), (bytes) => {
      try {
        parseJson(bytes);
      } catch (error) {
        assert.ok(error instanceof SpikeError && error.code === 'api_bad_request');
        assert.match(error.message, /^the body (is not UTF-8|is not JSON|has more than 16 levels)$/);
        assert.equal(error.cause, undefined);
      }
    }),
    { numRuns: 2000 },
  );
});

void test('16 levels are parsed and 17 are not, and brackets in texts are no levels', () => {
  assert.ok(parse('['.repeat(16) + ']'.repeat(16)));
  assert.throws(() => parse('['.repeat(17) + ']'.repeat(17)), { code: 'api_bad_request' });
  assert.throws(() => parse('['.repeat(1_000_000)), { code: 'api_bad_request' });
  assert.deepEqual(parse('{"a":"\\\\","b":"\\"[[[[[[[[[[[[[[[[[[[[["}'), {
    a: '\\',
    b: '"[[[[[[[[[[[[[[[[[[[[[',
  });
});

for (const [what, bytes] of Object.entries({
  'no body': '',
  'a second value': '{} {}',
  'a comment': '{/**/}',
  'a trailing comma': '{"a":1,}',
  'a byte order mark': '\ufeff{}',
  NaN: 'NaN',
})) {
  void test(`${what} is refused`, () => {
    assert.throws(() => parse(bytes), { code: 'api_bad_request' });
  });
}

void test('bytes that are not UTF-8 are refused, where Go would put other characters in their place', () => {
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)), { message: 'the body is not UTF-8' });
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)), {
    message: 'the body is not UTF-8',
  });
});
