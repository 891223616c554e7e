import { setTimeout as delay } from 'node:timers/promises';
import { Polynomial, RootKey, Share } from '@spike/crypto';
import { SpikeError, toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Store } from '@spike/store';
import type { FoundAnchor } from '../vault/anchor-file.ts';
import { encodeHead, parseHead, type InstanceHead, type SplitHead } from '../vault/head.ts';
import { assertUnused, createInstance, newInstanceId, OpenInstance } from '../vault/instance.ts';
import type { AuditPosition } from '../vault/ledger.ts';
import { matchesHint } from '../vault/manifest.ts';
import type { AuditDraft } from '../vault/port.ts';
import { findRootKey } from './candidate.ts';
import { answerProof, proveSplit, type BootstrapProof } from './ceremony.ts';
import type { FetchedShare, KeeperSet } from './keeper-set.ts';
import { Lease, type LeaseGrant } from './lease.ts';
import { Restoring } from './restoring.ts';

/**
 * `empty`: no instance, and none is missed. `locked`: an instance whose root key is not here. `ready`: unlocked.
 * `store_missing` and `store_integrity`: refused until a person has looked; see the message.
 */
export type CustodyState = 'empty' | 'locked' | 'ready' | 'store_missing' | 'store_integrity';

export interface CustodyOptions<Opened extends AsyncDisposable> {
  readonly store: Store;
  readonly anchor: () => FoundAnchor;
  readonly keepers: KeeperSet;
  readonly log: Log;
  readonly threshold: number;
  readonly count: number;
  /** The one instance that may be served; undefined for any. */
  readonly pinned: string | undefined;
  readonly leaseTtlMs: number;
  readonly probeMs: number;
  readonly audit: () => AuditPosition;
  /** Builds what serves on an unlocked instance, whose keys it owns from then on. */
  readonly unlock: (instance: OpenInstance) => Promise<Opened>;
}

export interface RestoreProgress {
  readonly collected: number;
  readonly remaining: number;
  readonly restored: boolean;
}

const lockedProbeMs = 500;
const callMs = 3_000;

/** Keeps the root key: gets it from Keepers or people, gives it back to Keepers, and makes it once, with Bootstrap. */
export class Custody<Opened extends AsyncDisposable> implements AsyncDisposable {
  readonly #options: CustodyOptions<Opened>;
  readonly #lease: Lease;
  readonly #restoring = new Restoring();
  #state: CustodyState = 'locked';
  #message = 'the store has not been looked at yet';
  #head: InstanceHead | undefined;
  #headBytes: Uint8Array | undefined;
  #instance: OpenInstance | undefined;
  #opened: Opened | undefined;
  /** Kept while the lease of the ceremony that made it runs, so that a Bootstrap which lost our answer can ask again. */
  #ceremonyKey: RootKey | undefined;
  /** One unlocking at a time, whoever brings the shares. */
  #turn: Promise<unknown> = Promise.resolve();
  #wake = new AbortController();
  /** Of the last round of `watch`, so that it is logged once. */
  #failure: string | undefined;

  constructor(options: CustodyOptions<Opened>) {
    this.#options = options;
    this.#lease = new Lease(options.leaseTtlMs);
  }

  get state(): CustodyState {
    return this.#state;
  }

  /** Why it is in this state, for people. */
  get message(): string {
    return this.#message;
  }

  get opened(): Opened | undefined {
    return this.#opened;
  }

  get instanceId(): string | undefined {
    return this.#head?.instance;
  }

  get head(): InstanceHead | undefined {
    return this.#head;
  }

  /** Reads the head of the store and decides what there is to wait for. */
  async look(): Promise<void> {
    const { store, pinned } = this.#options;
    const head = await store.head();
    const anchor = this.#options.anchor();
    if (head === undefined) {
      if (anchor.kind === 'absent' && pinned === undefined)
        this.#set('empty', 'nothing was bootstrapped yet');
      else this.#set('store_missing', missingMessage(anchor, pinned));
      return;
    }
    this.#headBytes = head.bytes;
    try {
      this.#head = parseHead(head.bytes);
      newestSplit(this.#head, 'keeper');
      newestSplit(this.#head, 'recovery');
    } catch (error) {
      const { code, message } = toSpikeError(error);
      if (code !== 'store_integrity') throw error;
      this.#set('store_integrity', message);
      return;
    }
    if (pinned !== undefined && this.#head.instance !== pinned) {
      this.#set(
        'store_missing',
        `the store is of instance ${this.#head.instance}, SPIKE_NEXUS_INSTANCE names ${pinned}`,
      );
      return;
    }
    this.#set(
      'locked',
      'the root key is not here; it comes from the Keepers or from `spike operator restore`',
    );
  }

  /** Unlocks from the Keepers, and then keeps them supplied, until the signal. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#probe(AbortSignal.any([signal, AbortSignal.timeout(callMs)]));
      } catch (error) {
        // A full disk, or a store that does not answer: it may be over at the next round.
        const { code, message } = toSpikeError(error);
        if (message !== this.#failure) this.#options.log.error('custody.failed', { code, message });
        this.#failure = message;
        if (this.#state === 'locked') this.#message = message;
      }
      const waitMs =
        this.#state === 'ready' ? this.#options.probeMs : Math.min(lockedProbeMs, this.#options.probeMs);
      await delay(waitMs, undefined, { signal: AbortSignal.any([signal, this.#wake.signal]) }).catch(
        () => undefined,
      );
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    if (this.#state === 'ready' && this.#instance !== undefined) {
      await this.#options.keepers.supply(this.#instance.keeper, signal);
    } else if (this.#state === 'locked' || this.#state === 'empty') {
      await this.#unlockFromKeepers(signal);
    }
    this.#failure = undefined;
  }

  /** B1 with action `begin`. Throws `state_already_initialized`, `store_missing` or `bootstrap_lease_held`. */
  beginCeremony(lease: string | undefined): LeaseGrant {
    this.#assertUnused();
    return this.#lease.begin(lease);
  }

  /** B1: answers the hash when the Keepers hold shares of the key that the proof was made with, and makes the instance. */
  async verifyBootstrap(
    proof: BootstrapProof,
    record: (() => AuditDraft) | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    return await this.#exclusive(async () => {
      if (this.#ceremonyKey !== undefined && this.#lease.instance !== undefined) {
        const hash = answerProof(this.#ceremonyKey, proof);
        if (hash !== undefined) return hash;
      }
      if (this.#state === 'locked') throw new SpikeError('state_not_ready', this.#message);
      this.#assertUnused();
      return await this.#createInstance(proof, record, signal);
    });
  }

  /** O1: every recovery share, the same ones each time. Throws `state_not_ready`. The caller disposes them. */
  recoveryShares(): readonly Share[] {
    if (this.#instance === undefined) throw new SpikeError('state_not_ready', this.#message);
    const split = this.#instance.recovery;
    return Array.from({ length: split.count }, (_, index) => split.shareOf(index + 1));
  }

  /** O2: one recovery share of a person. Throws `shamir_reconstruction_failed` for one that is not of this instance. */
  async restore(share: Share): Promise<RestoreProgress> {
    return await this.#exclusive(async () => {
      if (this.#state === 'ready') {
        share[Symbol.dispose]();
        throw new SpikeError('api_bad_request', 'Nexus has its root key, there is nothing to restore');
      }
      const head = this.#head;
      if (head === undefined || this.#state !== 'locked') {
        share[Symbol.dispose]();
        throw new SpikeError(
          this.#state === 'store_integrity' ? 'store_integrity' : 'store_missing',
          this.#message,
        );
      }
      const split = newestSplit(head, 'recovery');
      if (!matchesHint(split, head.instance, share)) {
        const { id } = share;
        share[Symbol.dispose]();
        throw new SpikeError(
          'shamir_reconstruction_failed',
          `share ${id} is not a recovery share of instance ${head.instance}; nothing was changed`,
          { detail: { id } },
        );
      }
      this.#restoring.add(share);
      const collected = this.#restoring.size;
      if (collected < split.threshold)
        return { collected, remaining: split.threshold - collected, restored: false };
      const restored = await this.#unlockWith(this.#restoring.shares, split, 'restore');
      this.#restoring[Symbol.dispose]();
      if (!restored) {
        // The shares are right, and what they open is not to be served.
        const { state } = this;
        if (state === 'store_integrity' || state === 'store_missing')
          throw new SpikeError(state, this.#message);
        throw new SpikeError(
          'shamir_reconstruction_failed',
          'these shares do not open the store; begin again',
        );
      }
      return { collected, remaining: 0, restored: true };
    });
  }

  /** For a store that lives in memory: a root key of its own that nobody keeps. */
  async makeTransient(): Promise<void> {
    using rootKey = RootKey.generate();
    const { threshold, count } = this.#options;
    const keeper = { polynomial: Polynomial.random(rootKey, threshold), count };
    const recovery = { polynomial: Polynomial.random(rootKey, threshold), count };
    await this.#open(await this.#commitInstance(rootKey, newInstanceId(), keeper, recovery, undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#restoring[Symbol.dispose]();
    this.#ceremonyKey?.[Symbol.dispose]();
    await this.#turn.catch(() => undefined);
    await this.#opened?.[Symbol.asyncDispose]();
    this.#opened = undefined;
  }

  async #unlockFromKeepers(signal: AbortSignal): Promise<void> {
    const fetched = await this.#options.keepers.collect(signal);
    try {
      await this.#exclusive(async () => {
        if (this.#state === 'empty') this.#noticeMissedStore(fetched);
        if (this.#state !== 'locked' || this.#head === undefined) return;
        const split = newestSplit(this.#head, 'keeper');
        if (this.#noticeForeignStore(fetched, this.#head, split)) return;
        const shares = fetched.map(({ share }) => share);
        if (shares.length >= split.threshold) await this.#unlockWith(shares, split, 'keepers');
        else
          this.#message = `${shares.length} of the ${split.threshold} Keepers that are needed hold a share`;
      });
    } finally {
      for (const { share } of fetched) share[Symbol.dispose]();
    }
  }

  /** Tries the shares that the hints call right first; the hints lie in the clear, so all are tried after that. */
  async #unlockWith(
    shares: readonly Share[],
    split: SplitHead,
    from: 'keepers' | 'restore',
  ): Promise<boolean> {
    const { log } = this.#options;
    const head = this.#head;
    const bytes = this.#headBytes;
    if (head === undefined || bytes === undefined) return false;
    const right = shares.filter((share) => matchesHint(split, head.instance, share));
    for (const share of shares) {
      if (!right.includes(share)) log.error('recovery.bad_share', { from, id: share.id });
    }
    try {
      const found =
        findRootKey(right, split.threshold, (key) => tryOpen(key, bytes)) ??
        findRootKey(shares, split.threshold, (key) => tryOpen(key, bytes));
      if (found === undefined) {
        this.#message = 'the shares that are here do not open the store';
        return false;
      }
      await this.#open(found.proof);
      log.info('custody.unlocked', { from, instance: head.instance });
      return true;
    } catch (error) {
      const { code, message } = toSpikeError(error);
      if (code !== 'store_integrity' && code !== 'store_missing') throw error;
      this.#set(code, message);
      return false;
    }
  }

  async #createInstance(
    proof: BootstrapProof,
    record: (() => AuditDraft) | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const { keepers, threshold, count, log } = this.#options;
    const leased = this.#lease.instance;
    const fetched = await keepers.collect(AbortSignal.any([signal, AbortSignal.timeout(callMs)]));
    try {
      if (this.#noticeMissedStore(fetched)) throw new SpikeError('store_missing', this.#message);
      const proven = proveSplit(fetched, proof, { threshold, count, lease: leased !== undefined });
      for (const keeper of proven.wrongKeepers) log.error('keeper.bad_share', { keeper });
      using scope = new DisposableStack();
      const rootKey = scope.use(proven.polynomial.rootKey());
      const recovery = { polynomial: Polynomial.random(rootKey, threshold), count };
      const instance = await this.#commitInstance(
        rootKey,
        leased ?? newInstanceId(),
        { polynomial: proven.polynomial, count },
        recovery,
        record,
      );
      scope.move();
      this.#keepForLease(rootKey, leased);
      await this.#open(instance);
      log.info('custody.bootstrapped', { instance: this.#head?.instance ?? '' });
      return proven.hash;
    } finally {
      for (const { share } of fetched) share[Symbol.dispose]();
    }
  }

  async #commitInstance(
    rootKey: RootKey,
    id: string,
    keeper: { polynomial: Polynomial; count: number },
    recovery: { polynomial: Polynomial; count: number },
    record: (() => AuditDraft) | undefined,
  ): Promise<OpenInstance> {
    const { store, audit } = this.#options;
    const { instance, ops } = createInstance({
      rootKey,
      id,
      keeper,
      recovery,
      audit: audit(),
      ...(record === undefined ? {} : { record: record() }),
    });
    try {
      const committed = await store.commit(ops);
      if (!committed.ok)
        throw new SpikeError('state_already_initialized', 'the store got an instance at the same moment');
    } catch (error) {
      instance[Symbol.dispose]();
      // It may hold one all the same; then no Bootstrap may overwrite the shares of its key.
      await this.look();
      throw error;
    }
    this.#head = instance.head;
    this.#headBytes = encodeHead(instance.head);
    // Until it serves: should that fail, the key comes back from the Keepers, as after a restart.
    this.#set('locked', 'the instance was made and is being opened');
    return instance;
  }

  async #open(instance: OpenInstance): Promise<void> {
    try {
      this.#opened = await this.#options.unlock(instance);
    } catch (error) {
      instance[Symbol.dispose]();
      throw error;
    }
    this.#instance = instance;
    // Whoever brought the key, shares that people typed have no more use.
    this.#restoring[Symbol.dispose]();
    this.#set('ready', 'it serves');
    this.#wake.abort();
  }

  /** Keepers that hold an active share know an instance: an empty store is then not a new one. */
  #noticeMissedStore(fetched: readonly FetchedShare[]): boolean {
    const origin = fetched.find((share) => share.origin !== undefined)?.origin;
    if (origin === undefined || this.#state !== 'empty') return false;
    this.#set(
      'store_missing',
      `the store is empty, but Keepers hold shares of instance ${origin.instance}; put its store back`,
    );
    return true;
  }

  #noticeForeignStore(fetched: readonly FetchedShare[], head: InstanceHead, split: SplitHead): boolean {
    const foreign = fetched.filter(({ origin }) => origin !== undefined && origin.instance !== head.instance);
    const origin = foreign[0]?.origin;
    if (origin === undefined || fetched.length - foreign.length >= split.threshold) return false;
    if (foreign.length < split.threshold) return false;
    this.#set(
      'store_missing',
      `the store is of instance ${head.instance}, but Keepers hold shares of ${origin.instance}; put the right store back`,
    );
    return true;
  }

  #keepForLease(rootKey: RootKey, leased: string | undefined): void {
    if (leased === undefined) {
      rootKey[Symbol.dispose]();
      return;
    }
    this.#ceremonyKey = rootKey;
    setTimeout(() => {
      rootKey[Symbol.dispose]();
      this.#ceremonyKey = undefined;
    }, this.#options.leaseTtlMs).unref();
  }

  #assertUnused(): void {
    assertUnused(this.#headBytes, this.#options.anchor());
    if (this.#state === 'store_missing') throw new SpikeError('store_missing', this.#message);
  }

  async #exclusive<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const before = this.#turn;
    const mine = (async () => {
      await before.catch(() => undefined);
      return await work();
    })();
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  #set(state: CustodyState, message: string): void {
    if (state !== this.#state) {
      const level = state === 'store_missing' || state === 'store_integrity' ? 'error' : 'info';
      this.#options.log[level]('custody.state', { state, message });
    }
    this.#state = state;
    this.#message = message;
  }
}

function tryOpen(rootKey: RootKey, bytes: Uint8Array): OpenInstance | undefined {
  try {
    return OpenInstance.open(rootKey, bytes);
  } catch (error) {
    // Another choice of shares may make the right key; a store that opens and is damaged stays damaged.
    if (toSpikeError(error).code === 'crypto_decryption_failed') return undefined;
    throw error;
  }
}

function newestSplit(head: InstanceHead, purpose: SplitHead['purpose']): SplitHead {
  const found = head.splits
    .filter((split) => split.purpose === purpose)
    .toSorted((a, b) => b.generation - a.generation)[0];
  if (found === undefined)
    throw new SpikeError('store_integrity', `the store has no manifest for ${purpose}`);
  return found;
}

function missingMessage(anchor: FoundAnchor, pinned: string | undefined): string {
  if (anchor.kind === 'found') {
    return `the store is empty, but the anchor file names instance ${anchor.anchor.instance}; put its store back`;
  }
  if (anchor.kind === 'damaged')
    return 'the store is empty and the anchor file cannot be read; put both back';
  return `the store is empty, but SPIKE_NEXUS_INSTANCE names ${pinned ?? ''}; put its store back`;
}
