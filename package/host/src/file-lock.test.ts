import assert from 'node:assert/strict';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFileLock } from './index.ts';
import { runScript } from './testing/script.ts';

test('a lock is held against other processes until it is given back, or its holder dies', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-lock-'));
  const path = join(directory.path, 'lock');
  const tryElsewhere = (): Promise<string> =>
    runScript(`
      import { openFileLock } from '${import.meta.dirname}/index.ts';
      process.stdout.write(String(openFileLock('${path}') !== undefined));
    `);
  const lock = openFileLock(path);
  assert.notEqual(lock, undefined);
  assert.equal(openFileLock(path), undefined);
  assert.equal(await tryElsewhere(), 'false');
  lock?.[Symbol.dispose]();
  lock?.[Symbol.dispose]();
  assert.equal(await tryElsewhere(), 'true');
  using again = openFileLock(path);
  assert.notEqual(again, undefined);
});
