import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import fc from 'fast-check';

import { Secret } from './secret.ts';
import { Tagger } from './tag.ts';

const key = Buffer.alloc(32, 3);
const open = (parents?: number): Tagger => {
  using secret = Secret.take(Uint8Array.from(key));
  return new Tagger(secret, parents);
};

/** The definition, written out. */
function expected(label: string, segments: readonly string[]): Buffer {
  let tag = createHmac('sha256', key).update(label).digest().subarray(0, 16);
  const tags = segments.map((segment) => {
    const input = Buffer.concat([tag, Uint8Array.of(0), Buffer.from(segment)]);
    return (tag = createHmac('sha256', key).update(input).digest().subarray(0, 16));
  });
  return Buffer.concat(tags);
}

test('tags are those of the definition, however few parents are remembered', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', 'c', 'ü');
  const paths = fc.array(fc.array(segment, { minLength: 1, maxLength: 5 }), { maxLength: 20 });
  fc.assert(
    fc.property(paths, fc.integer({ min: 0, max: 5 }), (all, parents) => {
      using tagger = open(parents);
      for (const path of all) {
        for (const label of ['secret', 'policy']) {
          assert.deepEqual(Buffer.from(tagger.path(label, path)), expected(label, path));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a subtree is one prefix, a sibling and another table are not in it', () => {
  using tagger = open();
  const parent = Buffer.from(tagger.path('secret', ['tenants', 'acme']));
  const child = Buffer.from(tagger.path('secret', ['tenants', 'acme', 'db']));
  assert.equal(child.length, 48);
  assert.deepEqual(child.subarray(0, 32), parent);
  assert.notDeepEqual(tagger.path('secret', ['tenants', 'acm', 'edb']).subarray(16, 32), parent.subarray(16));
  assert.notDeepEqual(
    Buffer.from(tagger.path('policy', ['tenants', 'acme'])).subarray(0, 16),
    parent.subarray(0, 16),
  );
});

test('what a tagger gave out can be changed without changing what it remembers', () => {
  using tagger = open();
  tagger.path('secret', ['a', 'b']).fill(0);
  tagger.path('secret', ['a', 'b', 'c']).fill(0);
  for (const last of ['c', 'd']) {
    assert.deepEqual(
      Buffer.from(tagger.path('secret', ['a', 'b', last])),
      expected('secret', ['a', 'b', last]),
    );
  }
});

test('32 segments are taken, 33, none, an empty one and one with a NUL are not', () => {
  using tagger = open();
  const deep = Array.from({ length: 32 }, () => 's');
  assert.equal(tagger.path('secret', deep).length, 512);
  for (const bad of [[...deep, 's'], [], [''], ['a\0b'], ['\ud800']]) {
    assert.throws(
      () => tagger.path('secret', bad),
      (thrown) => thrown instanceof SpikeError && thrown.code === 'data_invalid_input',
    );
  }
});

test('a wiped tagger makes no tags', () => {
  const tagger = open();
  tagger.path('secret', ['a']);
  tagger[Symbol.dispose]();
  assert.throws(() => tagger.path('secret', ['a']), TypeError);
});
