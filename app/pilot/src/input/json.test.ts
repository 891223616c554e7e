import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';
import { parseValues } from './json.ts';

test('texts are taken as they are, bytes from base64, and names of the prototype are keys', () => {
  const values = parseValues('{"__proto__": "a", "k": {"base64": "AP8="}, "constructor": "b"}', 'x.json');
  assert.deepEqual([...values.keys()], ['__proto__', 'k', 'constructor']);
  assert.equal(values.get('__proto__'), 'a');
  assert.deepEqual([...Buffer.from(values.get('k') ?? '')], [0, 255]);
  assert.equal(({} as Record<string, unknown>)['a'], undefined);
});

test('what is not an object of texts is refused without being repeated', () => {
  for (const text of [
    'hunter2',
    '{"a": "hunter2"',
    '["hunter2"]',
    '"hunter2"',
    'null',
    '{"a": {"b": "hunter2"}}',
    '{"a": {"base64": "hunter2!"}}',
    '{"a": {"base64": "AA==\\n"}}',
    '{"a": {"base64": "AA==", "b": "hunter2"}}',
    '{"a": {"__proto__": {"base64": "AA=="}}}',
    '{"a": ["hunter2"]}',
    '{"a": 5432}',
    '{"a": true}',
    '{"a": null}',
    '',
  ]) {
    assert.throws(
      () => parseValues(text, 'x.json'),
      (error) =>
        error instanceof SpikeError &&
        error.code === 'data_invalid_input' &&
        !error.message.includes('hunter2'),
      text,
    );
  }
});

test('a key that is given twice is refused, however it is written, and a value that looks like one is none', () => {
  for (const text of [
    '{"a": "hunter2", "a": "hunter3"}',
    '{"a": "", "b\\"": "\\\\", "\\u0061" : ""}',
    '{"__proto__": "1", "__proto__": "2"}',
    '{"a": {"base64": ""}, "b": "}", "a": ""}',
  ]) {
    assert.throws(
      () => parseValues(text, 'x.json'),
      (error) =>
        error instanceof SpikeError &&
        error.message.endsWith('is given twice') &&
        !error.message.includes('hunter'),
      text,
    );
  }
  const values = parseValues('{"a": "\\"a\\": \\"b", "b": "a", "base64": {"base64": ""}}', 'x.json');
  assert.deepEqual([...values.keys()], ['a', 'b', 'base64']);
  // As long as one may be.
  const long = JSON.stringify({ a: 'x\n'.repeat(6_000_000) });
  assert.equal(parseValues(long, 'x.json').size, 1);
});

test('a thousand keys are the most', () => {
  const of = (count: number): string =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v'])));
  assert.equal(parseValues(of(1000), 'x').size, 1000);
  assert.throws(() => parseValues(of(1001), 'x'), { code: 'data_invalid_input' });
});

const value = fc.oneof(fc.string({ unit: anyCharacter }), fc.uint8Array());
const pairs = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), value), { selector: ([key]) => key });

test('what is printed as JSON comes back', () => {
  fc.assert(
    fc.property(pairs, (given) => {
      const printed = given.map(([key, one]): [string, unknown] => [
        key,
        typeof one === 'string' ? one : { base64: Buffer.from(one).toString('base64') },
      ]);
      const read = parseValues(JSON.stringify(Object.fromEntries(printed)), 'x');
      const plain = (one: string | Uint8Array | undefined): unknown =>
        one instanceof Uint8Array ? [...one] : one;
      for (const [key, one] of given) assert.deepEqual(plain(read.get(key)), plain(one));
      assert.equal(read.size, given.length);
    }),
  );
});
