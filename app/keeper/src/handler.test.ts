import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keeperTable, longestNote, rolePaths, type KeeperTable } from '@spike/contract';
import { keeperSamples, Stage } from '@spike/server/testing';
import { createHandlers } from './handler.ts';
import { Slots } from './slot.ts';

const instance = 'a9d5fbd4-0000-4000-8000-000000000000';
const origin = { instance, generation: 1, id: 2 };
const shard = (fill: number): readonly number[] => Array.from({ length: 32 }, () => fill);

/** A Keeper behind the real dispatch, asked in the bytes of the wire. */
function open() {
  const stage = new Stage<KeeperTable>(keeperTable, keeperSamples, createHandlers(new Slots()));
  const ask = (role: 'nexus' | 'bootstrap', path: string, body: unknown) =>
    stage.ask(stage.world.peer(rolePaths[role]), path, '', body);
  return {
    contribute: (role: 'nexus' | 'bootstrap', body: unknown) => ask(role, '/v1/store/contribute', body),
    fetch: () => ask('nexus', '/v1/store/shard', {}),
    status: () => ask('nexus', '/v1/store/status', {}),
  };
}

test('a Keeper without a share answers 400 in the words of the Go original', async () => {
  const { status, json } = await open().fetch();
  assert.equal(status, 400);
  assert.equal(json['shard'], null);
  assert.equal(json['Err'], 'api_bad_request');
});

test('what Bootstrap brings is pending and belongs to nothing; what Nexus makes active belongs to its instance', async () => {
  const keeper = open();
  const brought = await keeper.contribute('bootstrap', { shard: shard(1), ...origin, slot: 'active' });
  assert.equal(brought.status, 200);
  const pending = await keeper.fetch();
  assert.deepEqual(pending.json['shard'], shard(1));
  assert.equal(pending.json['Err'], '');
  assert.equal(pending.json['instance'], undefined, 'Bootstrap cannot say where its share belongs');
  assert.deepEqual((await keeper.status()).json['active'], { held: false });

  await keeper.contribute('nexus', { shard: shard(2), ...origin, slot: 'active' });
  const active = (await keeper.fetch()).json;
  assert.deepEqual(active['shard'], shard(2));
  assert.deepEqual([active['instance'], active['generation'], active['id']], [instance, 1, 2]);
  assert.equal(active['pending'], undefined);
  assert.equal((await keeper.contribute('bootstrap', { shard: shard(3) })).status, 400);

  await keeper.contribute('nexus', { shard: shard(4), ...origin, generation: 2, slot: 'pending' });
  const both = (await keeper.fetch()).json;
  assert.deepEqual(both['shard'], shard(2));
  assert.deepEqual(both['pending'], { shard: shard(4), ...origin, generation: 2 });
});

test('a Nexus of the Go original, which says nothing of its share, fills the pending slot of an empty Keeper alone', async () => {
  const keeper = open();
  assert.equal((await keeper.contribute('nexus', { shard: shard(1) })).status, 200);
  assert.deepEqual((await keeper.fetch()).json['shard'], shard(1));
  await keeper.contribute('nexus', { shard: shard(2), ...origin, slot: 'active' });
  assert.equal((await keeper.contribute('nexus', { shard: shard(3) })).status, 400);
  assert.equal((await keeper.contribute('nexus', { shard: shard(3), slot: 'active' })).status, 400);
  assert.deepEqual((await keeper.fetch()).json['shard'], shard(2));
});

test('the status tells whether it is the right share and nothing of the share', async () => {
  const keeper = open();
  await keeper.contribute('nexus', { shard: shard(9), ...origin, slot: 'active' });
  const { json } = await keeper.status();
  assert.match(JSON.stringify(json['active']), /"digest":"[0-9a-f]{64}"/);
  assert.ok(!JSON.stringify(json).includes('0909090909'));
  assert.ok(!JSON.stringify(json).includes('9,9,9'));
});

test('a note of Nexus stays with the active share and goes with it, and Bootstrap leaves none', async () => {
  const keeper = open();
  await keeper.contribute('bootstrap', { shard: shard(1), note: 'from Bootstrap' });
  assert.equal((await keeper.fetch()).json['note'], undefined);
  const active = { shard: shard(2), ...origin, slot: 'active' };
  await keeper.contribute('nexus', { ...active, note: 'one' });
  assert.equal((await keeper.fetch()).json['note'], 'one');
  const long = await keeper.contribute('nexus', { ...active, note: 'x'.repeat(longestNote + 1) });
  assert.equal(long.status, 400);
  await keeper.contribute('nexus', { shard: shard(3), ...origin, slot: 'pending', note: 'two' });
  assert.equal((await keeper.fetch()).json['note'], 'one', 'the active share keeps its own');
  await keeper.contribute('nexus', { ...active, note: 'x'.repeat(longestNote) });
  assert.equal((await keeper.fetch()).json['note'], 'x'.repeat(longestNote));
});
