import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOverdue } from './status-source.ts';

const day = 86_400_000;
const now = 1_800_000_000_000;

test('what was done within 90 days is not due, and what was never done counts from the first day', () => {
  const fresh = { backupVerifiedAt: now - 89 * day, resetTestedAt: now, accessReviewedAt: now - day };
  assert.deepEqual(findOverdue(fresh, now - 400 * day, now), []);
  const due = findOverdue({ ...fresh, backupVerifiedAt: now - 91 * day }, undefined, now);
  assert.deepEqual(due, ['no backup was verified for 91 days; run `spike backup verify`']);
  assert.deepEqual(findOverdue({}, now - day, now), [], 'a new system');
  assert.equal(findOverdue({}, now - 90 * day, now).length, 3);
  assert.deepEqual(findOverdue({}, undefined, now), [], 'nobody knows since when');
});
