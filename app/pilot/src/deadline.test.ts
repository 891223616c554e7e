import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadline } from './deadline.ts';

test('the signal tells when the time is over, and why', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const deadline = new Deadline();
  deadline.start(2000);
  context.mock.timers.tick(1900);
  assert.equal(deadline.signal.aborted, false);
  context.mock.timers.tick(200);
  assert.throws(() => deadline.signal.throwIfAborted(), {
    code: 'net_timeout',
    message: /within the 2s of --timeout/,
  });
});

test('the clock stands while a person is asked', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const deadline = new Deadline();
  deadline.start(1000);
  await deadline.pauseFor(() => {
    context.mock.timers.tick(60_000);
    return Promise.resolve();
  });
  assert.equal(deadline.signal.aborted, false);
  context.mock.timers.tick(1000);
  assert.equal(deadline.signal.aborted, true);
});

test('without a start there is no end but an interruption', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const deadline = new Deadline();
  await deadline.pauseFor(() => Promise.resolve());
  context.mock.timers.tick(3_600_000);
  assert.equal(deadline.signal.aborted, false);
  deadline.interrupt('SIGTERM');
  assert.throws(() => deadline.signal.throwIfAborted(), { name: 'Interruption', exit: 143 });
});
