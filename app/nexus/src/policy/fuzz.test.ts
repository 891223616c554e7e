import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { Pattern } from './pattern.ts';
import { Programs } from './program.ts';
import { matchesWhole } from './testing/arbitrary.ts';
import { fuzzPatterns } from './testing/fuzz.ts';

const corpus = readFileSync(new URL('testing/corpus.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');

test('patterns that were difficult once are refused, or match what RE2 matches', () => {
  const programs = new Programs();
  for (const source of corpus) {
    let pattern: Pattern;
    try {
      pattern = Pattern.parsePath(source, programs);
    } catch (error) {
      assert.ok(error instanceof SpikeError && error.code === 'data_invalid_input', source);
      continue;
    }
    for (const text of [
      '',
      'a',
      'ab',
      'a/b',
      'abab',
      'k/s',
      'K/S',
      't1/a',
      '0/c',
      'a|ba|b',
      'constructor/__proto__',
    ]) {
      assert.equal(pattern.matches(text, programs), matchesWhole(source, text), `${source} on ${text}`);
    }
  }
});

test('patterns made of anything are refused, or match what RE2 matches, and soon', () => {
  assert.ok(fuzzPatterns(corpus, 60) > 1);
});
