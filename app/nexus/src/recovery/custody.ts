import { setTimeout as delay } from 'node:timers/promises';
import type { Share } from '@spike/crypto';
import { SpikeError, toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Store } from '@spike/store';
import { noAlerts, type AlertPort } from '../alert/port.ts';
import { noHistory, type HistoryPort } from '../history/port.ts';
import { Turns } from '../turn.ts';
import type { FoundAnchor } from '../vault/anchor-file.ts';
import { newestSplit, type InstanceHead, type SplitHead } from '../vault/head.ts';
import { assertUnused, OpenInstance } from '../vault/instance.ts';
import type { AuditPosition } from '../vault/ledger.ts';
import type { AuditDraft } from '../vault/port.ts';
import { Bootstrapping } from './bootstrapping.ts';
import type { BootstrapProof } from './ceremony.ts';
import { foreignToKeepers } from './foreign.ts';
import { Founding } from './founding.ts';
import { callMs, type KeeperSet } from './keeper-set.ts';
import type { LeaseGrant } from './lease.ts';
import { openFromShares } from './opening.ts';
import { Restoring, type RestoreProgress } from './restoring.ts';
import { Standing, type CustodyState } from './standing.ts';
import { WrongShares, type ShareSource } from './wrong-share.ts';

export type { CustodyState } from './standing.ts';

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
  /** What the Keepers are to give back with their shares. */
  readonly note?: () => string | undefined;
  readonly alerts?: AlertPort;
  readonly history?: HistoryPort;
}

/** Any `threshold` of the shares make the root key of the instance again. */
export interface RecoveryShares {
  readonly instance: string;
  readonly threshold: number;
  readonly shares: readonly Share[];
}

const lockedProbeMs = 500;

/** Keeps the root key: gets it from Keepers or people, gives it back to Keepers, and makes it once, with Bootstrap. */
export class Custody<Opened extends AsyncDisposable> implements AsyncDisposable {
  readonly #options: CustodyOptions<Opened>;
  readonly #alerts: AlertPort;
  readonly #history: HistoryPort;
  readonly #standing: Standing;
  readonly #wrong: WrongShares;
  readonly #founding: Founding;
  readonly #bootstrapping: Bootstrapping;
  readonly #restoring = new Restoring();
  /** One unlocking at a time, whoever brings the shares. */
  readonly #turns = new Turns();
  #instance: OpenInstance | undefined;
  #opened: Opened | undefined;
  #wake = new AbortController();
  /** Of the last round of `watch`, so that it is logged once. */
  #failure: string | undefined;

  constructor(options: CustodyOptions<Opened>) {
    const { log, leaseTtlMs, alerts = noAlerts, history = noHistory } = options;
    this.#options = options;
    this.#alerts = alerts;
    this.#history = history;
    this.#standing = new Standing({ ...options, alerts, history });
    this.#wrong = new WrongShares(log, alerts);
    this.#founding = new Founding(options, this.#standing, this.#wrong);
    this.#bootstrapping = new Bootstrapping(leaseTtlMs);
  }

  get state(): CustodyState {
    return this.#standing.state;
  }

  /** Why it is in this state, for people. */
  get message(): string {
    return this.#standing.message;
  }

  get opened(): Opened | undefined {
    return this.#opened;
  }

  get instanceId(): string | undefined {
    return this.#standing.head?.instance;
  }

  get head(): InstanceHead | undefined {
    return this.#standing.head;
  }

  /** Reads the head of the store and decides what there is to wait for. */
  async look(): Promise<void> {
    await this.#standing.look();
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
        if (this.state === 'locked') this.#standing.explain(message);
      }
      const waitMs =
        this.state === 'ready' ? this.#options.probeMs : Math.min(lockedProbeMs, this.#options.probeMs);
      await delay(waitMs, undefined, { signal: AbortSignal.any([signal, this.#wake.signal]) }).catch(
        () => undefined,
      );
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
  }

  /** Looks at every Keeper now, and gives those their share that do not hold it; what it finds is in the set's health. */
  async askKeepers(signal: AbortSignal): Promise<void> {
    if (this.state === 'ready') await this.#probe(AbortSignal.any([signal, AbortSignal.timeout(callMs)]));
  }

  async #probe(signal: AbortSignal): Promise<void> {
    if (this.state === 'ready' && this.#instance !== undefined) {
      const { keepers, note } = this.#options;
      await keepers.supply(this.#instance.keeper, note?.(), signal);
    } else if (this.state === 'locked' || this.state === 'empty') {
      await this.#unlockFromKeepers(signal);
    }
    this.#failure = undefined;
  }

  /** B1 with action `begin`. Throws `state_already_initialized`, `store_missing` or `bootstrap_lease_held`. */
  beginCeremony(lease: string | undefined): LeaseGrant {
    this.#assertUnused();
    return this.#bootstrapping.begin(lease);
  }

  /**
   * B1: answers the hash when the Keepers hold shares of the key that the proof was made with, and makes the instance.
   * `lease` is what a Bootstrap of ours shows; one of the Go original has none, and waits while another's runs.
   */
  async verifyBootstrap(
    proof: BootstrapProof,
    lease: string | undefined,
    record: (() => AuditDraft) | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    return await this.#turns.run(async () => {
      const again = this.#bootstrapping.answerAgain(proof);
      if (again !== undefined) return again;
      if (this.state === 'locked') throw new SpikeError('state_not_ready', this.message);
      this.#assertUnused();
      const leased = this.#bootstrapping.admit(lease);
      const { instance, rootKey, hash } = await this.#founding.fromKeepers(proof, leased, record, signal);
      this.#history.note('bootstrapped', { instance: instance.instance });
      if (leased === undefined) rootKey[Symbol.dispose]();
      else this.#bootstrapping.keep(rootKey);
      await this.#open(instance);
      this.#options.log.info('custody.bootstrapped', { instance: instance.instance });
      return hash;
    });
  }

  /** O1: every recovery share, the same ones each time. Throws `state_not_ready`. The caller disposes them. */
  recoveryShares(): RecoveryShares {
    if (this.#instance === undefined) throw new SpikeError('state_not_ready', this.message);
    const split = this.#instance.recovery;
    return {
      instance: split.instance,
      threshold: split.threshold,
      shares: Array.from({ length: split.count }, (_, index) => split.shareOf(index + 1)),
    };
  }

  /** Of the split that recovery shares are of. Throws `state_not_ready`. */
  get recoveryGeneration(): number {
    if (this.#instance === undefined) throw new SpikeError('state_not_ready', this.message);
    return this.#instance.recovery.generation;
  }

  /** O2: one recovery share of a person. Throws `shamir_reconstruction_failed` for one that is not of this instance. */
  async restore(share: Share): Promise<RestoreProgress> {
    return await this.#turns.run(async () => {
      const head = this.head;
      if (head === undefined || this.state !== 'locked') {
        share[Symbol.dispose]();
        throw this.#nothingToRestore();
      }
      const split = newestSplit(head.splits, 'recovery');
      const progress = this.#restoring.take(share, split, head.instance);
      this.#options.log.info('recovery.share', {
        collected: progress.collected,
        remaining: progress.remaining,
      });
      if (progress.remaining > 0) return progress;
      const restored = await this.#unlockWith(this.#restoring.shares, split, 'restore');
      this.#restoring[Symbol.dispose]();
      if (restored) return { ...progress, restored: true };
      // The shares may be right, and what they open not to be served.
      if (this.state !== 'locked') throw this.#nothingToRestore();
      throw new SpikeError('shamir_reconstruction_failed', 'these shares do not open the store; begin again');
    });
  }

  #nothingToRestore(): SpikeError {
    if (this.state === 'ready')
      return new SpikeError('api_bad_request', 'Nexus has its root key, there is nothing to restore');
    const code = this.state === 'store_integrity' ? 'store_integrity' : 'store_missing';
    return new SpikeError(code, this.message);
  }

  /**
   * Closes what serves and opens it anew from the store, with the root key that is here: for a head that was rewritten.
   * Throws what opening throws; then the key comes back from the Keepers, as after a restart.
   */
  async reopen(): Promise<void> {
    await this.#turns.run(async () => {
      if (this.#instance === undefined) throw new SpikeError('state_not_ready', this.message);
      using rootKey = this.#instance.keeper.rootKey();
      this.#standing.set('locked', 'what was restored is being opened');
      const before = this.#opened;
      this.#opened = undefined;
      this.#instance = undefined;
      await before?.[Symbol.asyncDispose]();
      await this.look();
      if (this.state !== 'locked' || this.#standing.headBytes === undefined)
        throw new SpikeError('state_not_ready', this.message);
      await this.#open(OpenInstance.open(rootKey, this.#standing.headBytes));
    });
  }

  /** For a store that lives in memory: a root key of its own that nobody keeps. */
  async makeTransient(): Promise<void> {
    await this.#open(await this.#founding.alone());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#restoring[Symbol.dispose]();
    this.#bootstrapping[Symbol.dispose]();
    await this.#turns.idle();
    await this.#opened?.[Symbol.asyncDispose]();
    this.#opened = undefined;
  }

  async #unlockFromKeepers(signal: AbortSignal): Promise<void> {
    const fetched = await this.#options.keepers.collect(signal);
    try {
      await this.#turns.run(async () => {
        this.#standing.noticeMissing(fetched);
        if (this.state !== 'locked' || this.head === undefined) return;
        const split = newestSplit(this.head.splits, 'keeper');
        const foreign = foreignToKeepers(fetched, this.head, split);
        if (foreign !== undefined) {
          this.#standing.set('store_missing', foreign);
          return;
        }
        const shares = fetched.map(({ share }) => share);
        if (shares.length >= split.threshold) await this.#unlockWith(shares, split, 'keepers');
        else
          this.#standing.wait(
            `${shares.length} of the ${split.threshold} Keepers that are needed hold a share: start the others, or ` +
              'give Nexus recovery shares with `spike operator restore`',
          );
      });
    } finally {
      for (const { share } of fetched) share[Symbol.dispose]();
    }
  }

  async #unlockWith(shares: readonly Share[], split: SplitHead, from: ShareSource): Promise<boolean> {
    const { log } = this.#options;
    const head = this.head;
    const bytes = this.#standing.headBytes;
    if (head === undefined || bytes === undefined) return false;
    try {
      const { instance, wrong, problem } = openFromShares(shares, split, head, bytes);
      this.#wrong.report(from, wrong);
      if (instance === undefined) {
        this.#standing.wait(problem);
        return false;
      }
      await this.#open(instance);
      log.info('custody.unlocked', { from, instance: head.instance });
      this.#tellUnlocked(from);
      return true;
    } catch (error) {
      const { code, message } = toSpikeError(error);
      if (code !== 'store_integrity' && code !== 'store_missing') throw error;
      this.#standing.set(code, message);
      return false;
    }
  }

  #tellUnlocked(from: ShareSource): void {
    this.#history.note(from === 'keepers' ? 'unlocked' : 'restored');
    if (from === 'keepers') return;
    this.#alerts.raise({
      kind: 'root_restored',
      message: 'the root key was put together from recovery shares of people',
    });
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
    this.#standing.set('ready', 'it serves');
    this.#wake.abort();
  }

  #assertUnused(): void {
    assertUnused(this.#standing.headBytes, this.#options.anchor());
    if (this.state === 'store_missing') throw new SpikeError('store_missing', this.message);
  }
}
