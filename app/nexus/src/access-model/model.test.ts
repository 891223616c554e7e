import { test } from 'node:test';
import { checkAccess } from './testing/property.ts';

test('all of administrative access is as one small oracle says, over jumps, restarts and factory resets', async () => {
  await checkAccess('memory', 25);
});
