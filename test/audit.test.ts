import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openScratch, System } from './system.ts';

test('a copy of the audit verifies with the pinned key, and not when it was changed', async () => {
  await using system = await System.start();
  await using scratch = await openScratch();
  const copy = join(scratch.path, 'copy');
  await system.mustSpike(['audit', 'key', '--pin']);
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=correct horse']);
  assert.match(
    await system.mustSpike(['audit', 'search', '--path', 'tenants']),
    /secret\.put {2}ok {2}spiffe:\S+ {2}tenants/u,
  );
  await system.mustSpike(['audit', 'export', '--out', copy]);
  assert.equal((await system.spike(['audit', 'verify', copy])).code, 0);
  const text = await readFile(copy, 'utf8');
  await writeFile(copy, text.replace('tenants/acme', 'tenants/nine'));
  assert.equal((await system.spike(['audit', 'verify', copy])).code, 1);
  assert.equal((await system.spike(['audit', 'verify'])).code, 0);
});
