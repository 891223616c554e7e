import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rehearse } from '../testing/invocation.ts';
import { describe, formatBytes, Progress } from './progress.ts';

test('progress says how much, of how much, how fast and how long still', () => {
  assert.equal(
    describe('taking', 12_300_000, 40_000_000, 2),
    'taking: 12.3 MB of about 40.0 MB, 6.2 MB/s, 5 s left',
  );
  assert.equal(describe('taking', 5, 5, 0), 'taking: 5 B, 0 B/s');
  assert.match(describe('taking', 1e6, 1e9, 1), /16 min 39 s left$/);
  assert.match(describe('taking', 1e6, 1e11, 1), /27 h 46 min left$/);
  assert.deepEqual([0, 999, 1000, 123_456, 5e12].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '123 kB',
    '5.0 TB',
  ]);
});

test('a terminal has one line that goes away, others have none within ten seconds, and programs none at all', () => {
  for (const [isTerminal, format, expected] of [
    [true, 'human', /^\r.*taking: 1\.0 kB.*\r.*K$/s],
    [false, 'human', /^$/],
    [true, 'json', /^$/],
  ] as const) {
    const { invocation, written } = rehearse({ isTerminal, settings: { format } });
    {
      using progress = new Progress(invocation, 'taking', 2_000);
      progress.add(1_000);
    }
    assert.match(written.err, expected);
  }
});
