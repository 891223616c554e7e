import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '@spike/server';
import { AccessWatch } from '../access/watch.ts';
import { MemoryAlerts, silent } from '../testing/sink.ts';
import { RequestWatch } from './request.ts';

test('reads are learnt, and only what failed for store or audit is told of', () => {
  const alerts = new MemoryAlerts();
  const reads: string[] = [];
  const access = new AccessWatch({ alerts, log: silent, learningMs: 1 });
  access.read = (id, path) => void reads.push(`${id} ${path}`);
  let ready = true;
  const watch = new RequestWatch({ alerts, access, ready: () => ready });
  const see = (change: Partial<Observed>): void =>
    watch.observe({
      action: 'secret.get',
      spiffeId: 'a',
      path: 'p',
      subject: undefined,
      administrator: undefined,
      outcome: 'ok',
      code: undefined,
      durationMicros: 1,
      ...change,
    });
  see({});
  see({ action: 'secret.put' });
  see({ action: 'secret.list', path: undefined });
  see({ outcome: 'denied', code: 'access_unauthorized' });
  see({ outcome: 'failed', code: 'api_not_found' });
  assert.deepEqual([reads, alerts.kinds], [['a p'], []]);
  see({ outcome: 'failed', code: 'store_integrity' });
  see({ outcome: 'failed', code: 'audit_unavailable' });
  assert.deepEqual(alerts.kinds, ['store_integrity', 'audit_sink_failing']);
  ready = false;
  see({ outcome: 'failed', code: 'store_integrity' });
  assert.equal(alerts.raised.length, 2, 'whoever could not open the store has told it');
});
