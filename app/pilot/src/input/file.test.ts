import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSmallFile } from './file.ts';

test('a file is read whole up to the limit, and a larger or endless one is refused by name', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spike-file-'));
  try {
    const path = join(dir, 'value');
    await writeFile(path, 'abcd');
    assert.equal(Buffer.from(await readSmallFile(path, 4)).toString(), 'abcd');
    await assert.rejects(readSmallFile(path, 3), {
      code: 'data_invalid_input',
      message: /value is larger than 3/,
    });
    await assert.rejects(readSmallFile('/dev/zero', 1000), {
      message: '/dev/zero is larger than 1000 bytes',
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('a file that cannot be read is refused with the reason', async () => {
  const missing = join(tmpdir(), 'spike-no-such-file');
  await assert.rejects(readSmallFile(missing, 9), {
    message: `${missing} cannot be read: there is no such file`,
  });
  await assert.rejects(readSmallFile(tmpdir(), 9), { message: /it is a directory/ });
});
