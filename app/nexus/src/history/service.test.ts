import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../alert/testing/sink.ts';
import { openTestLedger } from '../vault/testing/instance.ts';
import { openFixture } from '../vault/testing/ledger.ts';
import { HistoryService } from './service.ts';

async function open(most = 1_000) {
  const { ledger, vault, ...made } = await openFixture();
  const clock = { now: 1_000 };
  const make = () => new HistoryService({ spool: undefined, log: silent, now: () => (clock.now += 1), most });
  return { place: { ledger, vault }, made, make, history: make() };
}

const kindsOf = (history: HistoryService) => history.list().map(({ kind }) => kind);

test('what is noted before the key is here comes first, and all of it outlives a restart', async () => {
  const { history, place, made, make } = await open();
  history.note('bootstrapped', { instance: 'i' });
  await history.attach(place);
  history.note('unlocked');
  assert.deepEqual(kindsOf(history), ['unlocked', 'bootstrapped']);
  await history.detach();
  await place.ledger[Symbol.asyncDispose]();
  const again = make();
  await again.attach({ ...place, ledger: await openTestLedger(made) });
  again.note('initialised', { by: 'alice' });
  assert.deepEqual(
    again.list().map(({ id, kind }) => [id, kind]),
    [
      [3, 'initialised'],
      [2, 'unlocked'],
      [1, 'bootstrapped'],
    ],
  );
  assert.deepEqual(again.list()[2]?.detail, { instance: 'i' });
});

test('beyond the bound the oldest go, but never how it began, in the store neither', async () => {
  const { history, place, made } = await open(10);
  await history.attach(place);
  history.note('bootstrapped');
  history.note('initialised');
  for (let n = 0; n < 30; n++) history.note('unlocked');
  assert.equal(history.list().length, 10);
  assert.deepEqual(kindsOf(history).slice(-2), ['initialised', 'bootstrapped']);
  assert.equal(history.list(3).length, 3);
  await history.flush();
  assert.equal((await made.store.list('history', new Uint8Array(0), { limit: 100 })).length, 10);
});
