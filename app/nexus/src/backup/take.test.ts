import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { openMemoryStore } from '@spike/store';
import { grantOn } from '../service/testing/grant.ts';
import { BackupTaker } from './take.ts';
import { owner, Rig } from './testing/rig.ts';

test('a backup that is read slowly is given up before the journal fills the disk, and another can be taken', async () => {
  const store = openMemoryStore();
  await using rig = await Rig.open(store);
  await rig.secrets.put(grantOn('t/a'), { k: 'v' });
  const { instance, backups } = rig.serving;
  const options = { store, instance, book: backups.book, release: '0.1.0', mostGrowth: 100_000 };
  await using taker = new BackupTaker(options);
  const { id } = await taker.begin(owner, { withoutRecovery: true });
  assert.ok((await taker.read(owner, id, 1)).data.length > 0);
  for (let n = 0; n < 4; n++) await rig.secrets.put(grantOn(`t/${n}`), { k: 'v'.repeat(60_000) });
  const given = (error: unknown): boolean => error instanceof SpikeError && error.code === 'limit_exceeded';
  await assert.rejects(taker.read(owner, id, 1), given);
  await assert.rejects(taker.read(owner, id, 1), { code: 'api_not_found' });
  const next = await taker.begin(owner, { withoutRecovery: true });
  assert.ok((await taker.read(owner, next.id, 1)).data.length > 0, 'the snapshot of the first is gone');
});
