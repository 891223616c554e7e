import assert from 'node:assert/strict';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Polynomial, RootKey, Share } from '@spike/crypto';
import { createLog } from '@spike/log';
import { openMemoryStore, type Store } from '@spike/store';
import type { FoundAnchor } from '../vault/anchor-file.ts';
import { emptyRoot } from '../vault/testing/instance.ts';
import type { BootstrapProof } from './ceremony.ts';
import { Custody, type CustodyOptions, type CustodyState } from './custody.ts';
import { KeeperSet, type FetchedShare, type Keeper, type SlotReport } from './keeper-set.ts';

const signal = AbortSignal.timeout(120_000);
const log = createLog({ component: 'test', level: 'error', write: () => undefined });
type Held = Omit<FetchedShare, 'keeper'>;

/** Keepers that hold what a test says, and keep what a custody makes active. */
class FakeKeepers {
  readonly held = new Map<number, () => Held>();
  readonly set: KeeperSet;

  constructor() {
    const keepers = [1, 2, 3].map((id): Keeper => {
      return {
        id,
        url: '',
        fetch: async () => this.held.get(id)?.(),
        status: async () => ({ active: { held: false } satisfies SlotReport, pending: { held: false } }),
        contribute: async (share, origin) => {
          const bytes = share.value.expose((value) => Uint8Array.from(value));
          this.held.set(id, () => ({ share: Share.take(id, Uint8Array.from(bytes)), origin }));
        },
      };
    });
    this.set = new KeeperSet(keepers, log);
  }

  /** What Bootstrap does: shares that belong to nothing yet. */
  hand(rootKey: RootKey, ids: readonly number[] = [1, 2, 3]): void {
    const polynomial = Polynomial.random(rootKey, 2);
    for (const id of ids) this.held.set(id, () => ({ share: polynomial.share(id), origin: undefined }));
  }
}

function openCustody(
  store: Store,
  keepers: FakeKeepers,
  options: Partial<CustodyOptions<AsyncDisposable>> = {},
) {
  return new Custody<AsyncDisposable>({
    store,
    anchor: (): FoundAnchor => ({ kind: 'absent' }),
    keepers: keepers.set,
    log,
    threshold: 2,
    count: 3,
    pinned: undefined,
    leaseTtlMs: 10_000,
    probeMs: 5,
    audit: () => ({ syncedSize: 0, syncedRoot: emptyRoot }),
    unlock: async (instance) => ({ [Symbol.asyncDispose]: async () => instance[Symbol.dispose]() }),
    ...options,
  });
}

type TestCustody = ReturnType<typeof openCustody>;

function prove(rootKey: RootKey): { readonly proof: BootstrapProof; readonly hash: string } {
  const [nonce, text] = [randomBytes(12), randomBytes(64)];
  const ciphertext = rootKey.secret.expose((key) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  });
  return { proof: { nonce, ciphertext }, hash: createHash('sha256').update(text).digest('hex') };
}

const verify = (custody: TestCustody, proof: BootstrapProof, lease?: string): Promise<string> =>
  custody.verifyBootstrap(proof, lease, undefined, signal);

/** Lets the custody watch until a condition holds. */
async function watchUntil(custody: TestCustody, reached: () => boolean): Promise<void> {
  const stop = new AbortController();
  const watching = custody.watch(stop.signal);
  while (!reached()) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  stop.abort();
  await watching;
}

const reach = (custody: TestCustody, state: CustodyState): Promise<void> =>
  watchUntil(custody, () => custody.state === state);

/** A store with an instance, the Keepers that hold its active shares, and its recovery shares. */
async function bootstrap() {
  const store = openMemoryStore();
  const keepers = new FakeKeepers();
  const rootKey = RootKey.generate();
  keepers.hand(rootKey);
  await using custody = openCustody(store, keepers);
  await custody.look();
  const lease = custody.beginCeremony(undefined);
  await verify(custody, prove(rootKey).proof, lease.lease);
  await watchUntil(custody, () => keepers.set.health.every(({ reachable }) => reachable));
  await watchUntil(custody, () => [...keepers.held.values()].every((held) => held().origin !== undefined));
  const recovery = custody.recoveryShares().shares.map((share) => ({
    id: share.id,
    bytes: share.value.expose((value) => Uint8Array.from(value)),
  }));
  const share = (id: number): Share => Share.take(id, Uint8Array.from(recovery[id - 1]?.bytes ?? []));
  return { store, keepers, rootKey, share, instance: lease.instance, id: custody.instanceId };
}

test('a ceremony with a lease makes the instance that the lease names, and any two right shares are enough', async () => {
  const keepers = new FakeKeepers();
  const rootKey = RootKey.generate();
  keepers.hand(rootKey, [1, 3]);
  await using custody = openCustody(openMemoryStore(), keepers);
  await custody.look();
  assert.equal(custody.state, 'empty');
  const lease = custody.beginCeremony(undefined);
  const { proof, hash } = prove(rootKey);
  assert.equal(await verify(custody, proof, lease.lease), hash);
  assert.equal(custody.state, 'ready');
  assert.equal(custody.instanceId, lease.instance);
  assert.throws(() => custody.beginCeremony(undefined), { code: 'state_already_initialized' });
  const again = prove(rootKey);
  assert.equal(await verify(custody, again.proof), again.hash, 'a lost answer is asked for again');
  const { proof: other } = prove(RootKey.generate());
  await assert.rejects(verify(custody, other), {
    code: 'state_already_initialized',
  });
});

test('a ceremony without a lease needs a share of every Keeper, all of one split', async () => {
  const keepers = new FakeKeepers();
  const rootKey = RootKey.generate();
  keepers.hand(rootKey, [1, 2]);
  await using custody = openCustody(openMemoryStore(), keepers);
  await custody.look();
  const { proof, hash } = prove(rootKey);
  await assert.rejects(verify(custody, proof), { code: 'state_not_ready' });
  keepers.hand(RootKey.generate(), [3]);
  await assert.rejects(verify(custody, proof), { code: 'state_not_ready' });
  assert.equal(custody.state, 'empty');
  keepers.hand(rootKey);
  assert.equal(await verify(custody, proof), hash);
  const again = prove(rootKey);
  await assert.rejects(verify(custody, again.proof), {
    code: 'state_already_initialized',
  });
});

test('while a lease runs only its holder is answered, and a Bootstrap without one gets its turn after that', async () => {
  const keepers = new FakeKeepers();
  const rootKey = RootKey.generate();
  keepers.hand(rootKey);
  await using custody = openCustody(openMemoryStore(), keepers, { leaseTtlMs: 50 });
  await custody.look();
  custody.beginCeremony(undefined);
  const { proof, hash } = prove(rootKey);
  await assert.rejects(verify(custody, proof), { code: 'bootstrap_lease_held' });
  await assert.rejects(verify(custody, proof, '00'.repeat(16)), { code: 'bootstrap_lease_held' });
  assert.equal(custody.state, 'empty');
  const answer = async (): Promise<string | undefined> => await verify(custody, proof).catch(() => undefined);
  let answered = await answer();
  while (answered === undefined) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
    answered = await answer();
  }
  assert.equal(answered, hash);
});

test('a proof of another key than the Keepers hold makes nothing', async () => {
  const keepers = new FakeKeepers();
  keepers.hand(RootKey.generate());
  await using custody = openCustody(openMemoryStore(), keepers);
  await custody.look();
  const { lease } = custody.beginCeremony(undefined);
  const { proof } = prove(RootKey.generate());
  await assert.rejects(verify(custody, proof, lease), { code: 'state_not_ready' });
  assert.equal(custody.state, 'empty');
});

test('an instance is locked at first, opens with the shares of two Keepers, and gives the third its share again', async () => {
  const { store, keepers, id } = await bootstrap();
  const third = keepers.held.get(3);
  keepers.held.delete(3);
  keepers.held.delete(2);
  await using custody = openCustody(store, keepers);
  await custody.look();
  assert.equal(custody.state, 'locked');
  assert.throws(() => custody.recoveryShares(), { code: 'state_not_ready' });
  await assert.rejects(verify(custody, prove(RootKey.generate()).proof), {
    code: 'state_not_ready',
  });
  await watchUntil(custody, () => custody.message.startsWith('1 of the 2 Keepers'));
  assert.equal(custody.state, 'locked');
  assert(third !== undefined);
  keepers.held.set(3, third);
  await watchUntil(custody, () => custody.state === 'ready' && keepers.held.has(2));
  assert.equal(custody.instanceId, id);
});

test('a share that is wrong neither opens the store nor keeps two right ones from it', async () => {
  const { store, keepers } = await bootstrap();
  const stranger = Polynomial.random(RootKey.generate(), 2);
  const lie = (id: number): void => {
    const origin = keepers.held.get(id)?.().origin;
    keepers.held.set(id, () => ({ share: stranger.share(id), origin }));
  };
  lie(1);
  const [second, third] = [keepers.held.get(2), keepers.held.get(3)];
  assert(second !== undefined && third !== undefined);
  keepers.held.delete(3);
  await using custody = openCustody(store, keepers);
  await custody.look();
  await watchUntil(custody, () => custody.message.includes('do not open the store'));
  assert.equal(custody.state, 'locked');
  keepers.held.set(3, third);
  await reach(custody, 'ready');
});

test('people bring recovery shares: wrong ones are refused by name, the same one counts once, and the last one opens', async () => {
  const { store, share } = await bootstrap();
  await using custody = openCustody(store, new FakeKeepers());
  await custody.look();
  using stranger = RootKey.generate();
  await assert.rejects(custody.restore(Polynomial.random(stranger, 2).share(2)), {
    code: 'shamir_reconstruction_failed',
    message: /share 2 is not a recovery share/,
  });
  const first = { collected: 1, remaining: 1, restored: false };
  assert.deepEqual(await custody.restore(share(1)), first);
  assert.deepEqual(await custody.restore(share(1)), { ...first, repeated: true });
  await assert.rejects(custody.restore(Polynomial.random(stranger, 2).share(1)), {
    code: 'shamir_reconstruction_failed',
    message: /share 1 is not a recovery share/,
  });
  assert.deepEqual(await custody.restore(share(3)), { collected: 2, remaining: 0, restored: true });
  assert.equal(custody.state, 'ready');
  await assert.rejects(custody.restore(share(2)), { code: 'api_bad_request' });
});

test('shares that people brought are forgotten after a quarter of an hour without another', async (context) => {
  const { store, share } = await bootstrap();
  await using custody = openCustody(store, new FakeKeepers());
  await custody.look();
  context.mock.timers.enable({ apis: ['setTimeout'] });
  assert.equal((await custody.restore(share(1))).collected, 1);
  context.mock.timers.tick(14 * 60_000);
  assert.equal((await custody.restore(share(1))).collected, 1);
  context.mock.timers.tick(15 * 60_000);
  assert.equal((await custody.restore(share(2))).collected, 1);
});

test('an empty store is missed when an anchor, a pin or the Keepers know of one, and takes no Bootstrap', async () => {
  const { keepers, instance } = await bootstrap();
  const cases: readonly (readonly [FakeKeepers, Partial<CustodyOptions<AsyncDisposable>>])[] = [
    [new FakeKeepers(), { pinned: instance }],
    [new FakeKeepers(), { anchor: () => ({ kind: 'damaged' }) }],
    [keepers, {}],
  ];
  for (const [known, options] of cases) {
    await using custody = openCustody(openMemoryStore(), known, options);
    await custody.look();
    await reach(custody, 'store_missing');
    assert.throws(() => custody.beginCeremony(undefined), { code: 'store_missing' });
    await assert.rejects(verify(custody, prove(RootKey.generate()).proof), {
      code: 'store_missing',
    });
    await assert.rejects(custody.restore(Share.take(1, new Uint8Array(32).fill(1))), {
      code: 'store_missing',
    });
  }
});

test('a Bootstrap is refused over Keepers that hold shares of an instance, before anything is written', async () => {
  const { keepers, rootKey } = await bootstrap();
  const store = openMemoryStore();
  await using custody = openCustody(store, keepers);
  await custody.look();
  await assert.rejects(verify(custody, prove(rootKey).proof), {
    code: 'store_missing',
  });
  assert.equal(await store.head(), undefined);
});

test('the store of another instance than the Keepers or the pin name is not served', async () => {
  const [ours, theirs] = [await bootstrap(), await bootstrap()];
  {
    await using custody = openCustody(theirs.store, ours.keepers);
    await custody.look();
    await reach(custody, 'store_missing');
    assert.match(custody.message, new RegExp(`Keepers hold shares of ${ours.instance}`));
  }
  await using custody = openCustody(theirs.store, theirs.keepers, { pinned: ours.instance });
  await custody.look();
  assert.equal(custody.state, 'store_missing');
});

test('a store in memory is ready at once under a key that nobody keeps', async () => {
  await using custody = openCustody(openMemoryStore(), new FakeKeepers());
  await custody.makeTransient();
  assert.equal(custody.state, 'ready');
  assert.throws(() => custody.beginCeremony(undefined), { code: 'state_already_initialized' });
});
