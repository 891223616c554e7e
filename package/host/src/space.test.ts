import assert from 'node:assert/strict';
import { closeSync, fstatSync, mkdtempDisposableSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { reserveSpace } from './index.ts';

test('space is kept for a file that does not become longer, and refused where there is none', () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'spike-space-'));
  const fd = openSync(join(directory.path, 'file'), 'wx+');
  try {
    assert.equal(reserveSpace(fd, 0, 1024 * 1024), true);
    const { size, blocks } = fstatSync(fd);
    assert.equal(size, 0);
    assert.ok(blocks * 512 >= 1024 * 1024);
    // More than any disk has.
    const tooMuch = (): boolean => reserveSpace(fd, 0, 2 ** 50);
    try {
      assert.equal(tooMuch(), false);
    } catch (error) {
      // Beyond the largest file of some file systems.
      assert.ok(error instanceof SpikeError && error.code === 'host_refused', String(error));
    }
  } finally {
    closeSync(fd);
  }
  assert.throws(() => reserveSpace(fd, 0, 1), { code: 'host_refused' });
});
