import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Severity } from '../kind.ts';
import { DeliveryQueue } from './queue.ts';
import { rankOf, replaces, type SinkItem } from './sink.ts';

/** A receiver that is away until it is let go on. */
function open(most: number) {
  const delivered: SinkItem[] = [];
  const gate = Promise.withResolvers<void>();
  const queue = new DeliveryQueue<SinkItem>({
    deliver: async (item) => {
      await gate.promise;
      delivered.push(item);
    },
    onState: () => undefined,
    rankOf,
    replaces,
    concurrency: 1,
    most,
    retryMs: 1,
    longestRetryMs: 1,
    tries: 1,
  });
  const names = () =>
    delivered.map((item) => (item.type === 'alert' ? item.alert.subject : `note ${item.checkpoint}`));
  return { queue, names, goOn: () => gate.resolve() };
}

function alert(subject: string, severity: Severity): SinkItem {
  const times = { firstAt: '', lastAt: '' };
  const said = { message: '', advice: '', detail: {}, count: 1, instance: 'i' };
  return {
    type: 'alert',
    alert: { id: 1, kind: 'token_misuse', severity, subject, ...said, ...times },
  };
}

test('a flood of checkpoints takes no alert away, and only the newest of them waits', async () => {
  const { queue, names, goOn } = open(5);
  await using _queue = queue;
  queue.push(alert('first', 'info'));
  queue.push(alert('stolen', 'critical'));
  for (let size = 1; size <= 500; size++) queue.push({ type: 'checkpoint', checkpoint: String(size) });
  goOn();
  await queue.idle();
  assert.deepEqual(names(), ['first', 'stolen', 'note 500']);
  assert.equal(queue.dropped, 0);
});

test('a storm of small alerts takes no grave one away, and of equal ones the oldest goes', async () => {
  const { queue, names, goOn } = open(3);
  await using _queue = queue;
  queue.push(alert('first', 'info'));
  queue.push(alert('stolen', 'critical'));
  for (let n = 1; n <= 100; n++) queue.push(alert(`reads ${n}`, 'info'));
  queue.push(alert('locked', 'warning'));
  goOn();
  await queue.idle();
  assert.deepEqual(names(), ['first', 'stolen', 'reads 100', 'locked']);
  assert.equal(queue.dropped, 99);
});
