import { test } from 'node:test';
import { checkSecretModel } from './testing/secret-run.ts';

test('secrets behave as the model of wire.md 6 does, with the bounds that this project added', async () => {
  await checkSecretModel({ numRuns: 60 });
});
