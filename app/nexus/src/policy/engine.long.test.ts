import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDecisions } from './testing/decision-property.ts';
import { checkIndexAgainstScan } from './testing/index-property.ts';

test('the index decides as a scan does, over many more random policies', () => {
  checkIndexAgainstScan({ numRuns: 2_000 });
});

test('a million decisions are those of a scan with patterns that match by themselves', () => {
  const { decisions, allowed } = checkDecisions({ numRuns: 5_500 });
  assert.ok(decisions >= 1_000_000, `only ${String(decisions)} decisions`);
  assert.ok(allowed >= 50_000, `only ${String(allowed)} of them allowed`);
});
