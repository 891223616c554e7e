import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { anyCharacter } from '@spike/error/testing';
import { SecretPath } from './path.ts';

const segment = fc.stringMatching(/^[A-Za-z0-9_?+*|()[\]{}\\-][A-Za-z0-9._-]{0,10}$/);
const segments = fc.array(segment, { minLength: 1, maxLength: 32 });

void test('a path is parsed into its segments, and prints as them', () => {
  fc.assert(
    fc.property(segments, fc.boolean(), fc.boolean(), (parts, leading, trailing) => {
      const path = SecretPath.parse(`${leading ? '/' : ''}${parts.join('/')}${trailing ? '/' : ''}`);
      assert.deepEqual(path.segments, parts);
      assert.equal(path.text, parts.join('/'));
      assert.equal(JSON.stringify(path), JSON.stringify(path.text));
      assert.ok(SecretPath.parse(path.text).equals(path));
    }),
  );
});

void test('the parser takes any text and throws nothing but data_invalid_input', () => {
  const nasty = fc.string({
    unit: fc.constantFrom('/', '.', 'a', '\\', '%', ' ', 'ä', '\0', '?'),
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: anyCharacter }), nasty), (text) => {
      try {
        const path = SecretPath.parse(text);
        assert.ok(
          text.includes(path.text) &&
            path.segments.every((part) => part !== '' && part !== '.' && part !== '..'),
        );
      } catch (error) {
        assert.ok(error instanceof SpikeError && error.code === 'data_invalid_input', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

const refused: Readonly<Record<string, string>> = {
  'the empty path': '',
  'a slash alone': '/',
  'two slashes alone': '//',
  'two leading slashes': '//a',
  'two trailing slashes': 'a//',
  'an empty segment': 'a//b',
  'a dot segment': 'a/./b',
  'a dot-dot segment': '../a',
  'a percent sign': 'a%2fb',
  'a space': 'a b',
  'a colon': 'a:b',
  'a letter beyond ASCII': 'ä',
  'a NUL': 'a\0',
  '501 bytes': 'a'.repeat(501),
  '33 segments': Array.from({ length: 33 }, () => 'a').join('/'),
};

for (const [what, text] of Object.entries(refused)) {
  void test(`${what} is refused with a sentence`, () => {
    assert.throws(() => SecretPath.parse(text), { code: 'data_invalid_input', message: /^a path (has|is)/ });
  });
}

void test('500 bytes, 32 segments and all allowed marks are accepted, and case counts', () => {
  assert.equal(SecretPath.parse(`/${'a'.repeat(500)}/`).text.length, 500);
  assert.equal(SecretPath.parse(Array.from({ length: 32 }, () => 'a').join('/')).segments.length, 32);
  assert.equal(SecretPath.parse('A._-()?+*|[]{}\\/b').text, 'A._-()?+*|[]{}\\/b');
  assert.equal(SecretPath.parse('a').equals(SecretPath.parse('A')), false);
});

void test('what only looks like a path is none', () => {
  const path = SecretPath.parse('a/b');
  assert.equal(SecretPath.is(path), true);
  assert.equal(SecretPath.is({ text: 'a/b', segments: ['a', 'b'] }), false);
  assert.equal(SecretPath.is(Object.create(SecretPath.prototype)), false);
});
