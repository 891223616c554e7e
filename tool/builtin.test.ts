import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './step.ts';

/** Lint sees imports alone; what a module gets in this way it has to be allowed to import. */
const allowed = [
  'app/authority/src/admin.ts',
  'app/launcher/src/health.ts',
  'package/host/src/libc.test.ts',
  'package/host/src/libc.ts',
  'package/registry/src/client.ts',
  'package/server/src/loopback.ts',
  'package/spiffe/src/federation/fetch.ts',
  'package/store/src/sqlite/thread.ts',
];

test('nobody gets a module of Node past the import rules', async () => {
  const files = globSync('{app,package}/*/src/**/*.{ts,cjs}', { cwd: root });
  assert.ok(files.length > 500);
  const found: string[] = [];
  for (const file of files)
    if ((await readFile(join(root, file), 'utf8')).includes('getBuiltinModule')) found.push(file);
  assert.deepEqual(found.toSorted(), allowed);
});
