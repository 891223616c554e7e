import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensurePrivateDirectory, readPrivateFile, writePrivateFile } from './file.ts';

async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'spike-file-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test('a private file is written whole with mode 0600 and read back', async () => {
  await using dir = await scratch();
  const file = join(dir.path, 'a');
  await writePrivateFile(file, 'one');
  await writePrivateFile(file, 'two');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await readPrivateFile(file, 10))?.toString(), 'two');
  assert.deepEqual(await readdir(dir.path), ['a']);
  assert.equal(await readPrivateFile(join(dir.path, 'none'), 10), undefined);
});

test('a file that others may read, a symbolic link, a directory and a large file are refused', async () => {
  await using dir = await scratch();
  const file = join(dir.path, 'a');
  await writeFile(file, 'x', { mode: 0o600 });
  await chmod(file, 0o644);
  await assert.rejects(readPrivateFile(file, 10), { code: 'fs_unsafe', message: /chmod go=/ });
  await chmod(file, 0o600);
  await assert.rejects(readPrivateFile(file, 0), { code: 'fs_unsafe' });
  await symlink(file, join(dir.path, 'link'));
  await assert.rejects(readPrivateFile(join(dir.path, 'link'), 10), { code: 'fs_unsafe' });
  await assert.rejects(readPrivateFile(dir.path, 10), { code: 'fs_unsafe' });
});

test('a directory that others may enter or that is a symbolic link is refused', async () => {
  await using dir = await scratch();
  await ensurePrivateDirectory(join(dir.path, 'fine', 'deep'));
  assert.equal((await stat(join(dir.path, 'fine', 'deep'))).mode & 0o777, 0o700);
  await chmod(join(dir.path, 'fine'), 0o750);
  await assert.rejects(ensurePrivateDirectory(join(dir.path, 'fine')), { code: 'fs_unsafe' });
  await symlink(join(dir.path, 'fine', 'deep'), join(dir.path, 'link'));
  await assert.rejects(ensurePrivateDirectory(join(dir.path, 'link')), { code: 'fs_unsafe' });
});
