import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, rolePaths } from '@spike/contract';
import { svidSessions, type Administration } from '@spike/server';
import { createContext, grantTo, TestWorld } from '@spike/server/testing';
import { openMemoryStore } from '@spike/store';
import { hasCode } from '../vault/testing/instance.ts';
import { createBackupHandlers } from './handler.ts';
import { Rig, startOf } from './testing/rig.ts';

test('an auditor, and a token that may only read, open a backup to look at it and not to restore it', async () => {
  await using rig = await Rig.open(openMemoryStore());
  const start = startOf(await rig.take());
  const { instance, recovery } = rig.made.instance;
  const handlers = createBackupHandlers({
    backups: () => rig.backups,
    instanceId: () => instance,
    maxShareId: recovery.count,
    revision: () => 0,
    administratorKey: () => undefined,
    onStart: async () => undefined,
    onRestored: async () => undefined,
  });
  const peer = new TestWorld().peer(rolePaths.superuser);
  const alone = svidSessions.authenticate({ token: undefined, peer: peer.id, remoteAddress: '', trail: '' });
  const open = (who: Partial<Administration>, purpose: 'verify' | 'restore') => {
    const grant = grantTo(nexusTable.openBackup, { peer, administrator: { ...alone, ...who } });
    return handlers.openBackup(grant, { purpose, start }, createContext());
  };
  for (const who of [{ role: 'auditor' }, { role: 'super_admin', readOnly: true }] as const) {
    assert.equal((await open(who, 'verify')).remaining, 0);
    await assert.rejects(open(who, 'restore'), hasCode('access_unauthorized'));
  }
  assert.equal((await open({ role: 'super_admin' }, 'restore')).remaining, recovery.threshold);
});
