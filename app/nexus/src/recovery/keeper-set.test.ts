import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestShare, Polynomial, RootKey, Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { KeeperSet, type Keeper, type KeeperSplit, type Shortage, type SlotReport } from './keeper-set.ts';

const signal = new AbortController().signal;
const instance = 'ours';

/** A Keeper in memory, and the ways in which one can fail. */
class FakeKeeper implements Keeper {
  readonly url: string;
  active: SlotReport = { held: false };
  failure: SpikeError | undefined;
  /** One of the Go original has no status. */
  silent = false;
  /** Takes what it is given and goes on saying what it said. */
  stubborn = false;
  contributed = 0;
  note: string | undefined;

  readonly id: number;

  constructor(id: number) {
    this.id = id;
    this.url = `https://keeper-${id}`;
  }

  async fetch() {
    if (this.failure !== undefined) throw this.failure;
    if (this.note === undefined) return undefined;
    return { share: Share.take(this.id, new Uint8Array(32).fill(1)), origin: undefined, note: this.note };
  }

  async status() {
    if (this.failure !== undefined) throw this.failure;
    return this.silent ? undefined : { active: this.active, pending: { held: false } };
  }

  async contribute(...[share, origin, slot, note]: Parameters<Keeper['contribute']>): Promise<void> {
    assert.equal(slot, 'active');
    this.contributed += 1;
    if (this.stubborn) return;
    this.note = note;
    const digest = digestShare(origin.instance, origin.generation, share);
    this.active = { held: true, ...origin, digest: Buffer.from(digest).toString('hex') };
  }
}

function open() {
  const events: string[] = [];
  const log = createLog({
    component: 'test',
    level: 'info',
    write: (line) => {
      const { event, keeper } = JSON.parse(line) as { event: string; keeper: number };
      events.push(`${event} ${keeper}`);
    },
  });
  const polynomial = Polynomial.random(RootKey.generate(), 2);
  const split: KeeperSplit = {
    instance,
    generation: 1,
    threshold: 2,
    count: 3,
    digests: [1, 2, 3].map((id) => digestShare(instance, 1, polynomial.share(id))),
    shareOf: (id) => polynomial.share(id),
  };
  const keepers = [1, 2, 3].map((id) => new FakeKeeper(id));
  const own = { identity: true };
  const set = new KeeperSet(keepers, log, undefined, () => own.identity);
  const holding = (): readonly boolean[] => set.health.map(({ holdsShare }) => holdsShare);
  const supply = (note = 'note'): Promise<void> => set.supply(split, note, signal);
  return {
    own,
    set,
    split,
    supply,
    events,
    keepers: keepers as [FakeKeeper, FakeKeeper, FakeKeeper],
    holding,
  };
}

test('every Keeper gets its share once, and again when it lost it', async () => {
  const { supply, keepers, holding } = open();
  await supply();
  await supply();
  assert.deepEqual(
    keepers.map(({ contributed }) => contributed),
    [1, 1, 1],
  );
  assert.deepEqual(holding(), [true, true, true]);
  keepers[1].active = { held: false };
  await supply();
  assert.deepEqual(
    keepers.map(({ contributed }) => contributed),
    [1, 2, 1],
  );
});

test('a share of another generation, place or value is replaced, and a wrong one of ours is reported', async () => {
  const { supply, keepers, events } = open();
  await supply();
  const right = keepers[0].active;
  for (const wrong of [
    { ...right, generation: 0 },
    { ...right, id: 2 },
    { ...right, digest: '00'.repeat(32) },
  ]) {
    keepers[0].active = wrong;
    await supply();
    assert.deepEqual(keepers[0].active, right);
  }
  assert.equal(events.filter((event) => event === 'keeper.bad_share 1').length, 3);
});

test('a Keeper that goes on showing another share is not said to hold ours, and is reported once', async () => {
  const { supply, keepers, holding, events } = open();
  keepers[2].stubborn = true;
  keepers[2].active = { held: true, instance, generation: 1, id: 3, digest: '00'.repeat(32) };
  await supply();
  await supply();
  assert.deepEqual(holding(), [true, true, false]);
  assert.equal(events.filter((event) => event === 'keeper.bad_share 3').length, 1);
});

test('a Keeper without a status, as of the Go original, gets its share each time', async () => {
  const { supply, keepers, holding } = open();
  keepers[0].silent = true;
  await supply();
  await supply();
  assert.equal(keepers[0].contributed, 2);
  assert.deepEqual(holding(), [true, true, true]);
});

test('a Keeper that fails keeps no other from its share, and each failure is reported when it is new', async () => {
  const { set, supply, keepers, holding, events } = open();
  keepers[0].failure = new SpikeError('net_peer_connection', 'nobody there');
  keepers[1].failure = new SpikeError('access_unauthorized', 'who are you');
  await supply();
  await supply();
  assert.deepEqual(holding(), [false, false, true]);
  assert.deepEqual(
    set.health.map(({ reachable }) => reachable),
    [false, true, true],
  );
  assert.deepEqual(
    events.filter((event) => event.startsWith('keeper.failed')),
    ['keeper.failed 1', 'keeper.failed 2'],
  );
  keepers[0].failure = undefined;
  keepers[1].failure = undefined;
  await supply();
  assert.deepEqual(holding(), [true, true, true]);
  assert.ok(events.includes('keeper.reachable 1'));
});

test('a Keeper beyond the number of shares gets none', async () => {
  const { set, split, keepers } = open();
  await set.supply({ ...split, count: 2 }, undefined, signal);
  assert.equal(keepers[2].contributed, 0);
});

test('Keepers that hold nothing or fail are left out of what is collected', async () => {
  const { set, keepers } = open();
  keepers[0].failure = new SpikeError('net_timeout', 'too slow');
  assert.deepEqual(await set.collect(signal), []);
});

test('a changed note goes to every Keeper with its share, once, and comes back with it, also after that Keeper has died', async () => {
  const { set, supply, keepers } = open();
  await supply('one');
  await supply('two');
  await supply('two');
  assert.deepEqual(
    keepers.map(({ contributed, note }) => [contributed, note]),
    [
      [2, 'two'],
      [2, 'two'],
      [2, 'two'],
    ],
  );
  for (const { share } of await set.collect(signal)) share[Symbol.dispose]();
  keepers[2].failure = new SpikeError('net_peer_connection', 'gone');
  for (const { share } of await set.collect(signal)) share[Symbol.dispose]();
  assert.deepEqual(set.notes.map(({ keeper, note }) => `${keeper} ${note}`).toSorted(), [
    '1 two',
    '2 two',
    '3 two',
  ]);
});

test('too few Keepers with their share are told once, with what to do, and once more when it is over', async () => {
  const { set, supply, keepers, events } = open();
  const shortage = (): Shortage | undefined => set.shortage;
  assert.equal(shortage(), undefined, 'nobody has looked yet');
  const quorum = (): readonly string[] => events.filter((event) => event.startsWith('keeper.quorum'));
  await supply();
  keepers[0].failure = new SpikeError('net_peer_connection', 'gone');
  await supply();
  assert.equal(shortage(), undefined, 'two of three are enough');
  // It can be reached and does not take its share: nothing that a restart could use.
  keepers[1].stubborn = true;
  keepers[1].active = { held: false };
  await supply();
  await supply();
  assert.deepEqual([shortage()?.holding, shortage()?.required], [1, 2]);
  assert.match(shortage()?.message ?? '', /^1 of the 2 Keepers .*start the other Keepers/);
  assert.equal(quorum().length, 1);
  keepers[1].stubborn = false;
  await supply();
  assert.equal(shortage(), undefined);
  assert.deepEqual(
    quorum().map((event) => event.split(' ')[0]),
    ['keeper.quorum_lost', 'keeper.quorum_back'],
  );
});

test('Keepers that do not answer because we have no identity are not missed', async () => {
  const { own, set, supply, events, keepers } = open();
  await supply();
  own.identity = false;
  for (const keeper of keepers) keeper.failure = new SpikeError('net_peer_connection', 'no identity');
  await supply();
  const shortages = [set.shortage?.holding];
  own.identity = true;
  await supply();
  shortages.push(set.shortage?.holding);
  assert.deepEqual(shortages, [undefined, 0]);
  assert.equal(events.filter((event) => event.startsWith('keeper.quorum_lost')).length, 1);
});
