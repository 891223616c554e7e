import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { accumulate } from './testing/accumulated.ts';

test('XAES-256-GCM gives the published hash over 1 000 000 random messages', async () => {
  const file = await readFile(new URL('../vector/xaes-256-gcm.json', import.meta.url), 'utf8');
  const published = JSON.parse(file) as { readonly accumulated: Readonly<Record<string, string>> };
  assert.equal(accumulate(1_000_000), published.accumulated['1000000']);
});
