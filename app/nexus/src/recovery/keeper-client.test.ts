import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keeperTable, longestNote, type InputOf, type KeeperTable, type OutputOf } from '@spike/contract';
import { Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { createClient } from '@spike/sdk';
import { createKeeper } from './keeper-client.ts';
import { KeeperSet } from './keeper-set.ts';

const signal = new AbortController().signal;
const origin = { instance: 'ours', generation: 1, id: 2 };
const shard = (): Uint8Array => new Uint8Array(32).fill(7);

/** A Keeper that answers this, and what it was given. */
function open(answer: () => OutputOf<KeeperTable['fetchShare']>) {
  const given: InputOf<KeeperTable['contributeShare']>[] = [];
  const keeper = createKeeper(
    {
      fetchShare: async () => answer(),
      contributeShare: async (input) => {
        given.push({ ...input, shard: Uint8Array.from(input.shard) });
        return {};
      },
      keeperStatus: async () => ({ active: { held: false }, pending: { held: false } }),
    },
    2,
    'https://keeper-2',
  );
  return { keeper, given };
}

test('whatever a Keeper says for a note, its share counts, and what can be no note of ours is an empty one', async () => {
  for (const [note, expected] of [
    [undefined, undefined],
    [null, undefined],
    ['a note', 'a note'],
    ['x'.repeat(longestNote), 'x'.repeat(longestNote)],
    ['x'.repeat(longestNote + 1), ''],
    [7, ''],
    [{ toString: 'x' }, ''],
  ] as const) {
    const fetched = await open(() => ({ shard: shard(), ...origin, note })).keeper.fetch(signal);
    assert.ok(fetched !== undefined);
    assert.equal(fetched.note, expected);
    fetched.share[Symbol.dispose]();
  }
});

test('a Keeper that holds nothing is left out, and one that says it holds the share of another is refused', async () => {
  const empty = open(() => {
    throw new SpikeError('api_bad_request', 'nothing here');
  });
  assert.equal(await empty.keeper.fetch(signal), undefined);
  const swapped = open(() => ({ shard: shard(), ...origin, id: 3 }));
  await assert.rejects(swapped.keeper.fetch(signal), {
    code: 'shamir_reconstruction_failed',
    message: /it says that it holds share 3/,
  });
});

test('a share is sent with where it belongs and with the note that there is', async () => {
  const { keeper, given } = open(() => ({ shard: shard() }));
  using share = Share.take(2, shard());
  await keeper.contribute(share, origin, 'active', 'a note', signal);
  await keeper.contribute(share, origin, 'pending', undefined, signal);
  assert.deepEqual(given, [
    { shard: shard(), ...origin, slot: 'active', note: 'a note' },
    { shard: shard(), ...origin, slot: 'pending' },
  ]);
});

test('what is no share on the wire is left out and told of, and the other Keepers count', async () => {
  const numbers = (count: number, fill: unknown) => Array.from({ length: count }, () => fill);
  const keeperThat = (answer: string, id: number) => {
    const send = () => Promise.resolve({ status: 200, body: Buffer.from(answer) });
    return createKeeper(createClient({ send }, keeperTable), id, '');
  };
  const right = JSON.stringify({ shard: numbers(32, 7), Err: '' });
  for (const answer of [
    '{"shard":null,"Err":""}',
    '{}',
    'null',
    '[]',
    '',
    'gateway',
    JSON.stringify({ shard: numbers(32, 0) }),
    JSON.stringify({ shard: numbers(31, 7) }),
    JSON.stringify({ shard: numbers(33, 7) }),
    JSON.stringify({ shard: numbers(32, 256) }),
    JSON.stringify({ shard: numbers(32, '7') }),
    JSON.stringify({ shard: 'Bwc=' }),
    JSON.stringify({ shard: numbers(32, 7), ...origin, id: 3 }),
    JSON.stringify({ shard: numbers(32, 7), generation: 'x' }),
    // As a number it lies beyond the field.
    JSON.stringify({ shard: numbers(32, 255) }),
  ]) {
    const told: unknown[] = [];
    const log = createLog({
      component: 'test',
      level: 'warn',
      write: (line) => void told.push(JSON.parse(line)),
    });
    const set = new KeeperSet([keeperThat(answer, 1), keeperThat(right, 2)], log);
    for (let round = 1; round <= 2; round++) {
      const fetched = await set.collect(signal);
      assert.deepEqual(
        fetched.map(({ keeper }) => keeper),
        [2],
        answer,
      );
      for (const { share } of fetched) share[Symbol.dispose]();
    }
    assert.equal(told.length, 1, `${answer} is told once`);
  }
});
