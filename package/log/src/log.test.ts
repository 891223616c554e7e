import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { createLog } from './log.ts';
import { describeError } from './loggable.ts';

test('an event is one JSON line with time, level, component and its fields', () => {
  const lines: string[] = [];
  const log = createLog({ component: 'nexus', write: (line) => lines.push(line), now: () => new Date(0) });
  log.info('store.open', { size: 10n, path: '/a\nb' });
  log.debug('not.shown');
  assert.deepEqual(lines, [
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","component":"nexus","event":"store.open","size":"10","path":"/a\\nb"}\n',
  ]);
});

test('an error is logged by code and message, its causes by code alone', () => {
  const cause = Object.assign(new Error('password=hunter2'), { code: 'EACCES' });
  assert.deepEqual(describeError(new SpikeError('store_failed', 'the store is gone', { cause })), {
    error: 'store_failed',
    message: 'the store is gone',
    causes: ['EACCES'],
  });
});
