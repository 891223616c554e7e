import { test } from 'node:test';
import assert from 'node:assert/strict';
import { SpikeError, type ErrorCode } from '@spike/error';
import { callWithRetry, isToldSoon, mayRetry } from './retry.ts';

const again = (failure: SpikeError): boolean => mayRetry(failure, true);

const error = (code: ErrorCode, detail: Record<string, boolean | number> = {}) =>
  new SpikeError(code, 'x', { detail });

for (const [what, failure, reading, writing] of [
  ['nobody was reached', error('net_peer_connection', { sent: false }), true, true],
  [
    'the connection was lost with the outcome open',
    error('net_peer_connection', { sent: true }),
    true,
    false,
  ],
  ['there was no answer in time', error('net_timeout', { sent: true }), true, false],
  [
    'the server is not the right one',
    error('net_peer_connection', { sent: false, refused: true }),
    false,
    false,
  ],
  ['there is no key yet', error('state_not_ready', { sent: true }), true, true],
  ['there were too many', error('limit_exceeded', { sent: true }), true, true],
  [
    'the audit could not be written, perhaps after the commit',
    error('audit_unavailable', { sent: true }),
    true,
    false,
  ],
  ['the store failed, perhaps after the commit', error('store_failed', { sent: true }), true, false],
  ['the path is forbidden', error('access_unauthorized', { sent: true }), false, false],
  ['there is nothing', error('api_not_found', { sent: true }), false, false],
  ['somebody else wrote first', error('entity_version_conflict', { sent: true }), false, false],
  ['the server has a fault', error('api_internal_error', { sent: true }), false, false],
] as const) {
  void test(`when ${what}, a read is ${reading ? '' : 'not '}repeated and a write is ${writing ? '' : 'not '}repeated`, () => {
    assert.equal(mayRetry(failure, true), reading);
    assert.equal(mayRetry(failure, false), writing);
  });
}

void test('it asks again until it succeeds, with less time each time', async () => {
  const left: number[] = [];
  const answer = await callWithRetry(
    (remainingMs) => {
      left.push(remainingMs);
      return left.length < 3 ? Promise.reject(error('state_not_ready')) : Promise.resolve('done');
    },
    { deadlineMs: 5000, mayAgain: again },
  );
  assert.equal(answer, 'done');
  assert.equal(left.length, 3);
  assert.ok(left.every((ms, index) => index === 0 || ms < (left[index - 1] ?? 0)));
});

void test('it gives up with the last error when the deadline leaves no room', async () => {
  let calls = 0;
  const failing = (): Promise<never> => {
    calls += 1;
    return Promise.reject(error('state_not_ready'));
  };
  await assert.rejects(callWithRetry(failing, { deadlineMs: 1000, mayAgain: again }), {
    code: 'state_not_ready',
  });
  assert.ok(calls >= 2);
});

void test('a last try that had no time left does not hide what was in the way', async () => {
  let calls = 0;
  const failing = async (remainingMs: number): Promise<never> => {
    if (++calls === 1) throw error('state_not_ready');
    await new Promise((resolve) => setTimeout(resolve, remainingMs + 1));
    throw error('net_timeout', { sent: false });
  };
  await assert.rejects(callWithRetry(failing, { deadlineMs: 800, mayAgain: again }), {
    code: 'state_not_ready',
  });
  assert.equal(calls, 2);
});

void test('it stops at once when its caller does, with the reason of the caller', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const failing = (): Promise<never> => {
    controller.abort(reason);
    return Promise.reject(error('state_not_ready'));
  };
  const options = { deadlineMs: 60_000, mayAgain: again, signal: controller.signal };
  await assert.rejects(callWithRetry(failing, options), reason);
});

void test('a caller who gives up while it waits to ask again gets the reason that was given', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const call = callWithRetry(
    () => {
      setImmediate(() => controller.abort(reason));
      return Promise.reject(error('state_not_ready'));
    },
    { deadlineMs: 5000, mayAgain: again, signal: controller.signal },
  );
  await assert.rejects(call, (thrown) => thrown === reason);
});

void test('a server that says when to come again is not asked before', async () => {
  const asked: number[] = [];
  const answer = await callWithRetry(
    () => {
      asked.push(performance.now());
      if (asked.length === 2) return Promise.resolve('done');
      return Promise.reject(error('limit_exceeded', { retryAfterMs: 300 }));
    },
    { deadlineMs: 60_000, mayAgain: isToldSoon },
  );
  assert.equal(answer, 'done');
  // Timers count whole milliseconds.
  assert.ok((asked[1] ?? 0) - (asked[0] ?? 0) >= 299);
});

void test('who is told only to wait waits for what comes soon, and is told of the rest at once', async () => {
  for (const failure of [
    error('limit_exceeded', { retryAfterMs: 60_000 }),
    error('limit_exceeded'),
    error('state_not_ready', { retryAfterMs: 1 }),
  ]) {
    let calls = 0;
    const failing = (): Promise<never> => {
      calls += 1;
      return Promise.reject(failure);
    };
    const call = callWithRetry(failing, { deadlineMs: 3_600_000, mayAgain: isToldSoon });
    await assert.rejects(call, (thrown) => thrown === failure);
    assert.equal(calls, 1);
  }
  let calls = 0;
  const beyond = (): Promise<never> => {
    calls += 1;
    return Promise.reject(error('limit_exceeded', { retryAfterMs: 5_000 }));
  };
  await assert.rejects(callWithRetry(beyond, { deadlineMs: 4_000, mayAgain: isToldSoon }), {
    code: 'limit_exceeded',
  });
  assert.equal(calls, 1, 'the time that there is does not reach so far');
});
