import { test } from 'node:test';
import { checkAccess } from './testing/property.ts';

test('many sequences of everything that administrators and holders of shares do are as the oracle says', async () => {
  await checkAccess('memory', 100);
});

test('the same is so on SQLite, whose driver is opened anew at each restart', async () => {
  await checkAccess('sqlite', 10);
});
