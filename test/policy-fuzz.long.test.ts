import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fuzzPatterns } from '../app/nexus/src/policy/testing/fuzz.ts';

/** `--fuzz 1000000` of `npm run test:long` comes as this variable. */
const inputs = Number(process.env['SPIKE_TEST_FUZZ'] ?? 100_000);

test('a hundred thousand patterns made of anything are refused, or match what RE2 matches, and soon', () => {
  const corpus = new URL('../app/nexus/src/policy/testing/corpus.txt', import.meta.url);
  const taken = fuzzPatterns(readFileSync(corpus, 'utf8').trimEnd().split('\n'), inputs);
  assert.ok(taken > inputs / 20, `only ${String(taken)} of ${String(inputs)} were taken`);
});
