import assert from 'node:assert/strict';
import { createDecipheriv, createHash } from 'node:crypto';
import { test } from 'node:test';
import type { InputOf, NexusTable, OutputOf } from '@spike/contract';
import { Polynomial, Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { runCeremony, type KeeperCalls, type NexusCalls } from './ceremony.ts';

const signal = AbortSignal.timeout(120_000);
const log = createLog({ component: 'test', level: 'error', write: () => undefined });

class World {
  readonly shares = new Map<number, Uint8Array>();
  readonly order: string[] = [];
  renewals = 0;
  /** What the proof showed. */
  shown: string | undefined;
  lease = { instance: 'i', lease: 'token' };
  expiresInMs = 10_000;
  /** Thrown by the next calls of this name. */
  readonly failures: [name: string, error: SpikeError][] = [];
  answer = (hash: string): string => hash;

  get nexus(): NexusCalls {
    return {
      beginBootstrap: async ({ lease }) => this.#begin(lease),
      verifyBootstrap: async (input) => this.#verify(input),
    };
  }

  keepers(count = 3): readonly KeeperCalls[] {
    return Array.from({ length: count }, (_, index) => ({
      contributeShare: async ({ shard }) => {
        this.#note(`contribute ${index + 1}`);
        this.shares.set(index + 1, Uint8Array.from(shard));
        return {};
      },
    }));
  }

  #note(name: string): void {
    const at = this.failures.findIndex(([wanted]) => wanted === name);
    const [failure] = at < 0 ? [] : this.failures.splice(at, 1);
    if (failure !== undefined) throw failure[1];
    this.order.push(name);
  }

  #begin(lease: string | undefined): OutputOf<NexusTable['beginBootstrap']> {
    if (lease === undefined) this.#note('begin');
    else this.renewals += 1;
    return { ...this.lease, expiresInMs: this.expiresInMs };
  }

  #verify({ nonce, ciphertext, lease }: InputOf<NexusTable['verifyBootstrap']>): { hash: string } {
    this.#note('verify');
    this.shown = lease;
    const shares = [...this.shares].slice(0, 2).map(([id, value]) => Share.take(id, Uint8Array.from(value)));
    using rootKey = Polynomial.interpolate(shares, 2).rootKey();
    const text = rootKey.secret.expose((key) => {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce);
      decipher.setAuthTag(ciphertext.subarray(-16));
      return Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]);
    });
    return { hash: this.answer(createHash('sha256').update(text).digest('hex')) };
  }
}

const run = (world: World, keepers = world.keepers()) =>
  runCeremony({ nexus: world.nexus, keepers, threshold: 2, log }, signal);

test('the lease is taken before any share goes out, and the proof comes after all of them', async () => {
  const world = new World();
  assert.deepEqual(await run(world), { instance: 'i' });
  assert.equal(world.order[0], 'begin');
  assert.equal(world.order.at(-1), 'verify');
  assert.deepEqual(world.order.slice(1, -1).toSorted(), ['contribute 1', 'contribute 2', 'contribute 3']);
  assert.equal(
    new Set([...world.shares.values()].map((share) => Buffer.from(share).toString('hex'))).size,
    3,
  );
});

test('whoever cannot be reached or is not ready yet is asked again', async () => {
  const world = new World();
  world.failures.push(
    ['begin', new SpikeError('net_peer_connection', 'not up yet')],
    ['contribute 2', new SpikeError('net_timeout', 'slow')],
    ['verify', new SpikeError('state_not_ready', 'fetching')],
  );
  assert.deepEqual(await run(world), { instance: 'i' });
});

test('a system that was bootstrapped before, or by another at the same time, gets no share', async () => {
  for (const code of ['state_already_initialized', 'store_missing', 'bootstrap_lease_held'] as const) {
    const world = new World();
    world.failures.push(['begin', new SpikeError(code, 'no')]);
    await assert.rejects(run(world), { code });
    assert.equal(world.shares.size, 0);
  }
});

test('a Keeper that refuses its share ends the ceremony', async () => {
  const world = new World();
  world.failures.push(['contribute 3', new SpikeError('api_bad_request', 'I hold one')]);
  await assert.rejects(run(world), { code: 'api_bad_request' });
  assert.ok(!world.order.includes('verify'));
});

test('a Nexus that proves another key is not believed', async () => {
  const world = new World();
  world.answer = () => '00'.repeat(32);
  await assert.rejects(run(world), { code: 'shamir_reconstruction_failed' });
  world.answer = () => '';
  await assert.rejects(run(world), { code: 'shamir_reconstruction_failed' });
});

test('the lease is renewed for as long as the ceremony takes', async () => {
  const world = new World();
  world.expiresInMs = 15;
  const [first, ...others] = world.keepers();
  assert(first !== undefined);
  const slow: KeeperCalls = {
    contributeShare: async (input) => {
      const answer = await first.contributeShare(input);
      while (world.renewals < 2) await new Promise((resolve) => setTimeout(resolve, 2));
      return answer;
    },
  };
  await run(world, [slow, ...others]);
  assert.ok(world.renewals >= 2);
  assert.equal(world.shown, 'token');
});

test('a Nexus that was started again gives another lease, and that one is shown with the proof', async () => {
  const world = new World();
  world.expiresInMs = 15;
  const [first, ...others] = world.keepers();
  assert(first !== undefined);
  const slow: KeeperCalls = {
    contributeShare: async (input) => {
      const answer = await first.contributeShare(input);
      world.lease = { instance: 'j', lease: 'other' };
      const before = world.renewals;
      while (world.renewals < before + 2) await new Promise((resolve) => setTimeout(resolve, 2));
      return answer;
    },
  };
  assert.deepEqual(await run(world, [slow, ...others]), { instance: 'j' });
  assert.equal(world.shown, 'other');
});
