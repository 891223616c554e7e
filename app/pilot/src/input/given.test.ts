import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PutFlags } from '../option.ts';
import { rehearse } from '../testing/invocation.ts';
import { readGiven } from './given.ts';

const read = (input: string, texts: readonly string[], flags: PutFlags = {}) =>
  readGiven(texts, flags, rehearse({ input }).invocation);

test('values of all sources are put together, and none may name the same key', async () => {
  const values = await read('B=2', ['a=1'], { fromEnvFile: '-' });
  assert.deepEqual(Object.entries(values), [
    ['a', '1'],
    ['B', '2'],
  ]);
  await assert.rejects(read('{"a":"2"}', ['a=1'], { fromJson: '-' }), {
    message: /the key a is given twice/,
  });
  await assert.rejects(read('', ['a=-'], { fromJson: '-' }), { message: /only one of the sources/ });
});

test('nothing is never stored in place of what is there', async () => {
  for (const [input, texts, flags] of [
    ['', [], {}],
    ['', [], { fromEnvFile: '-' }],
    ['# nothing but this\n', [], { fromEnvFile: '-' }],
    ['{}', [], { fromJson: '-' }],
    ['', [], { fromJson: '-' }],
  ] as const) {
    await assert.rejects(read(input, texts, flags), { code: 'data_invalid_input' }, input);
  }
});
