import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import fc from 'fast-check';
import { readShareFiles, writeShareFiles } from './share-file.ts';
import { formatShare, parseShare, type RecoveryShare } from './share-text.ts';

const share = fc.record(
  {
    id: fc.integer({ min: 1, max: 255 }),
    value: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 32, maxLength: 32 }),
  },
  { noNullPrototype: true },
);

test('every share is read back from its text', () => {
  fc.assert(fc.property(share, (wanted) => assert.deepEqual(parseShare(`${formatShare(wanted)}\n`), wanted)));
});

test('what is not a share is refused without being repeated', () => {
  const good = formatShare({ id: 1, value: Array.from({ length: 32 }, () => 7) });
  for (const text of [
    '',
    good.slice(1),
    `${good}0`,
    good.slice(0, -1),
    good.replace('spike', 'other'),
    good.replace(':1:', ':0:'),
  ]) {
    assert.throws(
      () => parseShare(text),
      (error: unknown) =>
        error instanceof SpikeError && error.code === 'data_invalid_input' && !error.message.includes('0707'),
    );
  }
});

test('files of shares are private, replace the earlier ones and are read back', async () => {
  const root = await mkdtemp(join(tmpdir(), 'spike-recovery-'));
  try {
    const directory = join(root, 'recovery');
    const make = (id: number): RecoveryShare => ({ id, value: Array.from({ length: 32 }, () => id) });
    assert.deepEqual(await readShareFiles(directory), []);
    await writeShareFiles(directory, [1, 2, 3, 4].map(make));
    await writeShareFiles(directory, [1, 2, 3].map(make));
    assert.equal((await readdir(directory)).length, 3);
    assert.equal((await stat(join(directory, 'spike.recovery.2.txt'))).mode & 0o777, 0o600);
    assert.deepEqual(await readShareFiles(directory), [1, 2, 3].map(make));
    await chmod(directory, 0o755);
    await assert.rejects(readShareFiles(directory), { code: 'fs_unsafe' });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
