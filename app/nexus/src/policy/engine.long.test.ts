import { test } from 'node:test';
import { checkIndexAgainstScan } from './testing/index-property.ts';

test('the index decides as a scan does, over many more random policies', () => {
  checkIndexAgainstScan({ numRuns: 4_000 });
});
