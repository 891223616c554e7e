import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestShare, Polynomial, RootKey } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { KeeperSet, type Keeper, type KeeperSplit, type SlotReport } from './keeper-set.ts';

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

  readonly id: number;

  constructor(id: number) {
    this.id = id;
    this.url = `https://keeper-${id}`;
  }

  async fetch() {
    if (this.failure !== undefined) throw this.failure;
    return undefined;
  }

  async status() {
    if (this.failure !== undefined) throw this.failure;
    return this.silent ? undefined : { active: this.active, pending: { held: false } };
  }

  async contribute(...[share, origin, slot]: Parameters<Keeper['contribute']>): Promise<void> {
    assert.equal(slot, 'active');
    this.contributed += 1;
    if (this.stubborn) return;
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
  const set = new KeeperSet(keepers, log);
  const holding = (): readonly boolean[] => set.health.map(({ holdsShare }) => holdsShare);
  const supply = (): Promise<void> => set.supply(split, signal);
  return { set, split, supply, events, keepers: keepers as [FakeKeeper, FakeKeeper, FakeKeeper], holding };
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
  await set.supply({ ...split, count: 2 }, signal);
  assert.equal(keepers[2].contributed, 0);
});

test('Keepers that hold nothing or fail are left out of what is collected', async () => {
  const { set, keepers } = open();
  keepers[0].failure = new SpikeError('net_timeout', 'too slow');
  assert.deepEqual(await set.collect(signal), []);
});
