import { test } from 'node:test';
import { checkSecretModel } from './testing/secret-run.ts';

test('secrets behave as the model does, over many more runs', async () => {
  await checkSecretModel({ numRuns: 1500 });
});
