import { test } from 'node:test';
import { checkAccessModel } from './testing/model-property.ts';

test('thousands of random sequences of init, logins, delays, sessions, jumps and restarts are as the oracle says', async () => {
  await checkAccessModel(600);
});
