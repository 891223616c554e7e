import { test } from 'node:test';
import { checkSource } from '../testing/source-model.ts';

test('a source is in the state that the newest answer says, over many more runs', async () => {
  await checkSource({ numRuns: 40 });
});
