import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, rolePaths } from '@spike/contract';
import { createContext, grantTo, TestWorld } from '@spike/server/testing';
import { openMemoryStore } from '@spike/store';
import type { RaisedAlert } from '../alert/port.ts';
import { RecoveryDoor } from '../approval/recovery-door.ts';
import { Rig } from '../backup/testing/rig.ts';
import { FaultyStore } from '../vault/testing/faulty-store.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { createRecoveryHandlers } from './handler.ts';

/** The route over a real instance, whose store can be made to fail as a full disk does, and a door that is open once. */
async function open() {
  const store = new FaultyStore(openMemoryStore());
  const rig = await Rig.open(store);
  const { recovery } = rig.made.instance;
  const peer = new TestWorld().peer(rolePaths.recover);
  const trusted = new Set(['ann']);
  const door = new RecoveryDoor({ isRecover: () => true, mayGive: (name) => trusted.has(name) });
  const alerts: RaisedAlert[] = [];
  const handlers = createRecoveryHandlers({
    refuseTransient: () => undefined,
    custody: {
      recoveryGeneration: recovery.generation,
      recoveryShares: () => ({
        instance: recovery.instance,
        threshold: recovery.threshold,
        shares: Array.from({ length: recovery.count }, (_, index) => recovery.shareOf(index + 1)),
      }),
      restore: async () => assert.fail('nobody restores'),
    },
    maxShareId: recovery.count,
    alerts: { raise: (alert) => alerts.push(alert) },
    emergency: () => ({ takePass: (spiffeId) => door.take(spiffeId) }),
    notes: () => rig.serving.backups.book,
  });
  const grant = grantTo(nexusTable.recover, { peer, administrator: undefined });
  const recover = () => handlers.recover(grant, {}, createContext());
  const openDoor = () => door.open(peer.id.toString(), 'ann');
  openDoor();
  return { rig, store, recovery, trusted, alerts, recover, openDoor };
}

test('a pass is used up by shares that go out, and not by a try that came to nothing', async () => {
  const { rig, store, recovery, alerts, recover, openDoor } = await open();
  await using _rig = rig;
  // Neither the first time that shares of this generation go out, nor later.
  for (let issue = 1; issue <= 2; issue++) {
    store.faults.push('before');
    await assert.rejects(recover(), hasCode('store_failed'));
    assert.equal(alerts.length, issue - 1, 'nothing was handed out');
    assert.equal((await recover()).shards.size, recovery.count);
    assert.deepEqual(
      [alerts.at(-1)?.kind, alerts.at(-1)?.detail?.['openedBy']],
      ['recovery_shards_issued', 'ann'],
    );
    await assert.rejects(recover(), hasCode('approval_required'));
    openDoor();
  }
});

test('whoever opened it and is trusted no more when the shares are about to go gives none', async () => {
  const { rig, trusted, alerts, recover } = await open();
  await using _rig = rig;
  // It has taken the pass when it returns, and waits for the store.
  const waiting = recover();
  trusted.clear();
  await assert.rejects(waiting, hasCode('approval_required'));
  assert.deepEqual(alerts, []);
});

test('one pass gives shares to one of many at the same time', async () => {
  const { rig, recover } = await open();
  await using _rig = rig;
  const results = await Promise.allSettled(Array.from({ length: 8 }, recover));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});
