import { test } from 'node:test';
import { checkSecrets } from './testing/secret-run.ts';

void test('secrets and policies in memory are what the oracle says, over many more runs', async () => {
  await checkSecrets('memory', { numRuns: 600 });
});

void test('secrets and policies in SQLite are what the oracle says, over many more runs', async () => {
  await checkSecrets('sqlite', { numRuns: 40 });
});
