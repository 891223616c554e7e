import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { parseEnd } from './parse.ts';

test('an end is a while from now or a time that is to come, and nothing else', () => {
  assert.deepEqual(parseEnd('30m'), { seconds: 1_800 });
  assert.deepEqual(parseEnd('1h30m'), { seconds: 5_400 });
  assert.deepEqual(parseEnd('7d'), { seconds: 604_800 });
  const time = new Date(Date.now() + 3_600_000).toISOString();
  assert.deepEqual(parseEnd(time), { until: time });
  for (const text of [
    '',
    '0s',
    '0d',
    '-1h',
    '1.5d',
    '500ms',
    'soon',
    '7',
    '2001-01-01T00:00:00Z',
    time.slice(0, 10),
    time.slice(0, -1),
  ])
    assert.throws(() => parseEnd(text), InvalidArgumentError, text);
});
