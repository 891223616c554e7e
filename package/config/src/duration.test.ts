import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.ts';

test('Go durations are read', () => {
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('2.5s'), 2500);
  assert.equal(parseDuration('0'), 0);
});

test('what is not a duration is refused', () => {
  for (const text of ['', '5', 's', '1d', '-1s', '1s ', ' 1s', '1s1', '99999999h', `${'1'.repeat(40)}s`]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('every duration is read back from its own text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 * 24 * 3_600_000 }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
  );
});
