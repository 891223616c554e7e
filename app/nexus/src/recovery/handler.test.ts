import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { createContext, grantTo, TestWorld } from '@spike/server/testing';
import { openMemoryStore } from '@spike/store';
import type { RaisedAlert } from '../alert/port.ts';
import { RecoveryDoor } from '../approval/recovery-door.ts';
import { Rig } from '../backup/testing/rig.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { createRecoveryHandlers } from './handler.ts';

/** The route over a real instance, whose store can be made to fail as a full disk does, and a door that is open once. */
async function open() {
  const rig = await Rig.open(openMemoryStore());
  const { recovery } = rig.made.instance;
  const peer = new TestWorld().peer(rolePaths.recover);
  const door = new RecoveryDoor({ isRecover: () => true, mayGive: () => true });
  const full = { isFull: false };
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
    notes: () => ({
      noteRecovery: async (...input) => {
        if (full.isFull) throw new SpikeError('store_failed', 'no space is left');
        await rig.serving.backups.book.noteRecovery(...input);
      },
    }),
  });
  const grant = grantTo(nexusTable.recover, { peer, administrator: undefined });
  const recover = () => handlers.recover(grant, {}, createContext());
  door.open(peer.id.toString(), 'ann');
  return { rig, recovery, full, alerts, recover };
}

test('a pass is used up by shares that go out, and not by a try that came to nothing', async () => {
  const { rig, recovery, full, alerts, recover } = await open();
  await using _rig = rig;
  full.isFull = true;
  await assert.rejects(recover(), hasCode('store_failed'));
  assert.deepEqual(alerts, [], 'nothing was handed out');
  full.isFull = false;
  assert.equal((await recover()).shards.size, recovery.count);
  assert.deepEqual(
    alerts.map(({ kind, detail }) => [kind, detail?.['openedBy']]),
    [['recovery_shards_issued', 'ann']],
  );
  await assert.rejects(recover(), hasCode('approval_required'));
});

test('one pass gives shares to one of many at the same time', async () => {
  const { rig, recover } = await open();
  await using _rig = rig;
  const results = await Promise.allSettled(Array.from({ length: 8 }, recover));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});
