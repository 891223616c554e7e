import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailingStore, isSpikeError, makePut, testStore } from '../suite.ts';
import { openMemoryStore } from './store.ts';

testStore('memory', 100, async () => Promise.resolve(openMemoryStore()));

test('a store that is made to fail fails at that call only, before or after it happened', async () => {
  for (const [failing, found] of [
    ['before', undefined],
    ['after', 1],
  ] as const) {
    await using store = new FailingStore(openMemoryStore(), (call) => (call === 1 ? failing : undefined));
    assert.equal(await store.head(), undefined);
    await assert.rejects(store.commit([makePut('k')]), isSpikeError('store_failed'));
    assert.equal((await store.get('secret', Buffer.from('k')))?.revision, found);
    assert.equal(store.calls, 3);
  }
});
