import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';
import { quickGet, quickPut } from './secret-quick.ts';
import { getSecret, putSecret } from './secret.ts';

const path = fc.oneof(
  fc.constantFrom('a', '/a/b', 'a/b/', 'a//b', '', '/', 'a/../b', 'ä', 'x'.repeat(501)),
  fc.string({ unit: fc.constantFrom('a', '/', '.', 'ü', ' '), maxLength: 6 }),
  fc.anything(),
);
const values = fc.oneof(
  fc.dictionary(
    fc.constantFrom('a', 'b c', '__proto__', 'constructor', '', 'a.b'),
    fc.oneof(fc.string({ unit: anyCharacter }), fc.constantFrom('\ud800', ''), fc.integer()),
    { maxKeys: 3 },
  ),
  fc.anything(),
);
const whole = fc.oneof(
  fc.integer(),
  fc.constantFrom(null, 0, -0, 1, 0.5, 2 ** 53, Number.NaN, Infinity, '1'),
  fc.anything(),
);
const encoding = fc.oneof(fc.constant({}), fc.constant({ a: 'base64' }), fc.anything());
const anyOf = (fields: Record<string, fc.Arbitrary<unknown>>) => fc.record(fields, { requiredKeys: [] });

const cases = [
  {
    name: 'request of a get',
    input: anyOf({ path, version: whole, more: fc.anything() }),
    quick: quickGet.parseRequest,
    whole: (input: unknown) => getSecret.request.safeDecode(input as never),
  },
  {
    name: 'answer to a get',
    input: anyOf({ data: values, version: whole, encoding, more: fc.anything() }),
    quick: quickGet.formatResponse,
    whole: (input: unknown) => getSecret.response.safeEncode(input as never),
  },
  {
    name: 'request of a put',
    input: anyOf({ path, values, encoding, cas: whole, maxVersions: whole, more: fc.anything() }),
    quick: quickPut.parseRequest,
    whole: (input: unknown) => putSecret.request.safeDecode(input as never),
  },
  {
    name: 'answer to a put',
    input: anyOf({ version: whole, more: fc.anything() }),
    quick: quickPut.formatResponse,
    whole: (input: unknown) => putSecret.response.safeEncode(input as never),
  },
];

const withoutUndefined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

for (const { name, input, quick, whole: judge } of cases) {
  void test(`the quick way takes no ${name} but what the schema takes, and makes the same of it`, () => {
    fc.assert(
      fc.property(input, (fields) => {
        const found = quick(fields);
        if (found === undefined) return;
        const judged = judge(fields);
        assert.ok(judged.success);
        // An answer goes out as JSON, in which what is undefined does not stand.
        assert.deepEqual(withoutUndefined(found), withoutUndefined(judged.data));
        for (const key of ['data', 'values']) {
          if (key in found) assert.equal(Object.getPrototypeOf(Reflect.get(found, key)), null);
        }
      }),
      { numRuns: 250 },
    );
  });
}

void test('the plain cases are taken', () => {
  assert.equal(quickGet.parseRequest({ path: '/a/b' })?.path.text, 'a/b');
  assert.equal(quickGet.parseRequest({ path: 'a/b', version: 3 })?.version, 3);
  assert.deepEqual({ ...quickGet.formatResponse({ data: { k: 'v' }, version: 1 })?.data }, { k: 'v' });
  assert.deepEqual({ ...quickPut.parseRequest({ path: 'a', values: { k: 'v' } })?.values }, { k: 'v' });
  assert.deepEqual(quickPut.formatResponse({ version: 1 }), { version: 1 });
});
