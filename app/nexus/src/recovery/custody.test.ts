import assert from 'node:assert/strict';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Polynomial, RootKey, Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { openMemoryStore, type Store } from '@spike/store';
import { FaultyStore } from '../vault/testing/faulty-store.ts';
import { emptyRoot } from '../vault/testing/instance.ts';
import type { BootstrapProof } from './ceremony.ts';
import { Custody } from './custody.ts';
import { KeeperSet, type Keeper } from './keeper-set.ts';

const signal = AbortSignal.timeout(120_000);
const diskIsFull = (): SpikeError => new SpikeError('audit_unavailable', 'the disk is full');

/** Three Keepers with the shares of a Bootstrap, a custody on this store, and what a test can make go wrong. */
class Rig {
  readonly rootKey = RootKey.generate();
  readonly events: string[] = [];
  readonly custody: Custody<AsyncDisposable>;
  /** How many of the next unlockings fail. */
  failing = 0;

  constructor(store: Store) {
    const log = createLog({
      component: 'test',
      level: 'info',
      write: (line) => void this.events.push((JSON.parse(line) as { event: string }).event),
    });
    const polynomial = Polynomial.random(this.rootKey, 2);
    const keepers = [1, 2, 3].map((id): Keeper => {
      const fetch = async () => ({ share: polynomial.share(id), origin: undefined });
      return { id, url: '', fetch, status: async () => undefined, contribute: async () => undefined };
    });
    this.custody = new Custody({
      store,
      anchor: () => ({ kind: 'absent' }),
      keepers: new KeeperSet(keepers, log),
      log,
      threshold: 2,
      count: 3,
      pinned: undefined,
      leaseTtlMs: 10_000,
      probeMs: 10,
      audit: () => ({ syncedSize: 0, syncedRoot: emptyRoot }),
      unlock: async (instance) => {
        if (this.failing-- > 0) throw diskIsFull();
        return { [Symbol.asyncDispose]: async () => instance[Symbol.dispose]() };
      },
    });
  }

  prove(): { readonly proof: BootstrapProof; readonly hash: string } {
    const [nonce, text] = [randomBytes(12), Buffer.from('challenge')];
    const ciphertext = this.rootKey.secret.expose((key) => {
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    });
    return { proof: { nonce, ciphertext }, hash: createHash('sha256').update(text).digest('hex') };
  }

  async watchUntil(state: string): Promise<void> {
    const stop = new AbortController();
    const watching = this.custody.watch(stop.signal);
    while (this.custody.state !== state) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    stop.abort();
    await watching;
  }
}

test('a Bootstrap whose instance could not be opened at once is answered when it is, and its key is the one in use', async () => {
  const rig = new Rig(openMemoryStore());
  await using custody = rig.custody;
  await custody.look();
  const { lease } = custody.beginCeremony(undefined);
  const { proof, hash } = rig.prove();
  rig.failing = 2;
  await assert.rejects(custody.verifyBootstrap(proof, lease, undefined, signal), {
    code: 'audit_unavailable',
  });
  assert.equal(custody.state, 'locked');
  assert.throws(() => custody.beginCeremony(undefined), { code: 'state_already_initialized' });
  await rig.watchUntil('ready');
  assert.deepEqual(
    rig.events.filter((event) => event === 'custody.failed'),
    ['custody.failed'],
  );
  assert.equal(await custody.verifyBootstrap(proof, lease, undefined, signal), hash);
});

test('no second Bootstrap may begin when the store made the instance and its answer was lost', async () => {
  const store = new FaultyStore(openMemoryStore());
  const rig = new Rig(store);
  await using custody = rig.custody;
  await custody.look();
  const { lease } = custody.beginCeremony(undefined);
  store.faults.push('after');
  await assert.rejects(custody.verifyBootstrap(rig.prove().proof, lease, undefined, signal));
  assert.throws(() => custody.beginCeremony(undefined), { code: 'state_already_initialized' });
  await rig.watchUntil('ready');
});

test('when the store says that it made nothing, the ceremony goes on', async () => {
  const store = new FaultyStore(openMemoryStore());
  const rig = new Rig(store);
  await using custody = rig.custody;
  await custody.look();
  const { lease } = custody.beginCeremony(undefined);
  store.faults.push('before');
  const { proof, hash } = rig.prove();
  await assert.rejects(custody.verifyBootstrap(proof, lease, undefined, signal), { code: 'store_failed' });
  assert.equal(custody.state, 'empty');
  assert.equal(await custody.verifyBootstrap(proof, lease, undefined, signal), hash);
});

test('a store whose head is damaged is a state that people are told of, and takes no Bootstrap and no share', async () => {
  const store = openMemoryStore();
  await store.commit([{ kind: 'head', bytes: Buffer.from('no head'), revision: 1, expect: 'absent' }]);
  const rig = new Rig(store);
  await using custody = rig.custody;
  await custody.look();
  assert.equal(custody.state, 'store_integrity');
  assert.throws(() => custody.beginCeremony(undefined), { code: 'state_already_initialized' });
  const share = Share.take(1, Uint8Array.from(randomBytes(32)).fill(0, 0, 1));
  await assert.rejects(custody.restore(share), { code: 'store_integrity' });
});

test('what was rewritten under the root key is opened anew with it, and what cannot be opened waits for the Keepers', async () => {
  const store = openMemoryStore();
  const rig = new Rig(store);
  await using custody = rig.custody;
  await custody.look();
  await assert.rejects(custody.reopen(), { code: 'state_not_ready' });
  const { lease } = custody.beginCeremony(undefined);
  await custody.verifyBootstrap(rig.prove().proof, lease, undefined, signal);
  const before = custody.opened;
  await custody.reopen();
  assert.equal(custody.state, 'ready');
  assert.notEqual(custody.opened, before);
  rig.failing = 1;
  await assert.rejects(custody.reopen(), { code: 'audit_unavailable' });
  assert.equal(custody.state, 'locked');
  assert.equal(custody.opened, undefined);
  await rig.watchUntil('ready');
});
