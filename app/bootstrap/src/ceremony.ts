import { createCipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { KeeperTable, NexusTable } from '@spike/contract';
import { Polynomial, RootKey } from '@spike/crypto';
import { SpikeError, toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Client } from '@spike/sdk';

/** All that Bootstrap has to do with Nexus. */
export type NexusCalls = Pick<Client<NexusTable>, 'beginBootstrap' | 'verifyBootstrap'>;
/** All that it has to do with a Keeper. */
export type KeeperCalls = Pick<Client<KeeperTable>, 'contributeShare'>;

export interface CeremonyOptions {
  readonly nexus: NexusCalls;
  /** In the order of the list, which gives each its share's id. */
  readonly keepers: readonly KeeperCalls[];
  readonly threshold: number;
  readonly log: Log;
}

const nonceBytes = 12;
const challengeBytes = 32;
const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * Makes the root key once: takes the lease before any share goes out, splits the key at random, hands each Keeper its
 * share, and lets Nexus prove that it put the same key together. Throws what Nexus says when the store was bootstrapped
 * before (`state_already_initialized`), is missed (`store_missing`) or somebody else is at it (`bootstrap_lease_held`).
 */
export async function runCeremony(
  options: CeremonyOptions,
  signal: AbortSignal,
): Promise<{ readonly instance: string }> {
  const { nexus, log } = options;
  const first = await untilAnswered('nexus', log, signal, () => nexus.beginBootstrap({}, { signal }));
  log.info('bootstrap.lease', { instance: first.instance });
  await using held = renew(nexus, first, log);
  using rootKey = RootKey.generate();
  await contribute(Polynomial.random(rootKey, options.threshold), options, signal);
  return { instance: await prove(rootKey, held, options, signal) };
}

async function contribute(
  polynomial: Polynomial,
  { keepers, log }: CeremonyOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    keepers.map(async (keeper, index) => {
      const id = index + 1;
      using share = polynomial.share(id);
      await untilAnswered(`keeper ${id}`, log, signal, async () => {
        const shard = share.value.expose((value) => Uint8Array.from(value));
        await keeper.contributeShare({ shard }, { signal });
        shard.fill(0);
      });
      log.info('bootstrap.contributed', { keeper: id });
    }),
  );
}

/**
 * Nexus fetches the shares when it is asked, so an answer that does not come yet is asked for again. Answers the
 * instance that came of it.
 */
async function prove(
  rootKey: RootKey,
  held: HeldLease,
  { nexus, log }: CeremonyOptions,
  signal: AbortSignal,
): Promise<string> {
  const text = Buffer.from(randomBytes(challengeBytes).toString('hex'), 'ascii');
  const expected = createHash('sha256').update(text).digest();
  const nonce = randomBytes(nonceBytes);
  const ciphertext = rootKey.secret.expose((key) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  });
  const { hash, instance } = await untilAnswered('nexus', log, signal, async () => {
    const { lease, instance: leased } = held.current;
    const proven = await nexus.verifyBootstrap({ nonce, ciphertext, lease }, { signal });
    return { hash: proven.hash, instance: leased };
  });
  const answered = Buffer.from(hash, 'hex');
  if (answered.length === expected.length && timingSafeEqual(answered, expected)) return instance;
  throw new SpikeError(
    'shamir_reconstruction_failed',
    'Nexus has another root key than the one that was handed out',
  );
}

type Grant = Awaited<ReturnType<NexusCalls['beginBootstrap']>>;

interface HeldLease extends AsyncDisposable {
  /** As of the last renewal: a Nexus that was started again has given us another. */
  readonly current: Grant;
}

/** Keeps the lease for as long as we need it; Nexus forgets it by itself after that. */
function renew(nexus: NexusCalls, first: Grant, log: Log): HeldLease {
  const stop = new AbortController();
  let current = first;
  const running = (async () => {
    while (!stop.signal.aborted) {
      await delay(current.expiresInMs / 3, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return;
      try {
        current = await nexus.beginBootstrap({ lease: current.lease }, { signal: stop.signal });
      } catch (error) {
        // Once the instance is made there is nothing left to renew.
        if (!stop.signal.aborted) log.debug('bootstrap.renewal', { code: toSpikeError(error).code });
      }
    }
  })();
  return {
    get current() {
      return current;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

/** Calls again, until the signal, as long as the other side can't be reached or is not ready. */
async function untilAnswered<Answer>(
  who: string,
  log: Log,
  signal: AbortSignal,
  call: () => Promise<Answer>,
): Promise<Answer> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await call();
    } catch (thrown) {
      const error = toSpikeError(thrown);
      const passing =
        error.code === 'net_peer_connection' ||
        error.code === 'net_timeout' ||
        error.code === 'state_not_ready';
      if (!passing || signal.aborted) throw error;
      log.info('bootstrap.waiting', { who, code: error.code, message: error.message });
      await delay(pauseMs, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}
