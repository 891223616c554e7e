import { test } from 'node:test';
import { checkAccessModel } from './testing/model-property.ts';

test('init, logins, delays, sessions and their ends are as a small oracle says, over jumps of the clock and restarts', async () => {
  await checkAccessModel(40);
});
