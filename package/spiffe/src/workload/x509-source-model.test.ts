import { test } from 'node:test';
import { checkSource } from '../testing/source-model.ts';

test('a source is in the state that the newest answer says, whatever the agent and the clock do', async () => {
  await checkSource({ numRuns: 10 });
});
