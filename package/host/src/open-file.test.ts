import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOpenFileLimit } from './open-file.ts';

test('the limit of open files is a number where there is /proc, and unknown elsewhere', () => {
  const limit = readOpenFileLimit();
  assert.ok(process.platform === 'linux' ? (limit ?? 0) >= 64 : limit === undefined);
  assert.equal(readOpenFileLimit('/nowhere/limits'), undefined);
});
