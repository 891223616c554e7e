import { Polynomial, RootKey } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Store } from '@spike/store';
import {
  createInstance,
  newInstanceId,
  type NewInstanceOptions,
  type OpenInstance,
} from '../vault/instance.ts';
import type { AuditPosition } from '../vault/ledger.ts';
import type { AuditDraft } from '../vault/port.ts';
import { proveSplit, type BootstrapProof } from './ceremony.ts';
import { callMs, type KeeperSet } from './keeper-set.ts';
import type { Standing } from './standing.ts';
import type { WrongShares } from './wrong-share.ts';

export interface FoundingOptions {
  readonly store: Store;
  readonly keepers: KeeperSet;
  readonly threshold: number;
  readonly count: number;
  readonly audit: () => AuditPosition;
}

/** What was made and is in the store; whoever asked for it owns both. */
export interface Founded {
  readonly instance: OpenInstance;
  readonly rootKey: RootKey;
  /** The answer to the proof. */
  readonly hash: string;
}

/** Makes the instance of a store, once. */
export class Founding {
  readonly #options: FoundingOptions;
  readonly #standing: Standing;
  readonly #wrong: WrongShares;

  constructor(options: FoundingOptions, standing: Standing, wrong: WrongShares) {
    this.#options = options;
    this.#standing = standing;
    this.#wrong = wrong;
  }

  /**
   * Of the root key that the proof was made with, when the Keepers hold its shares. Throws `state_not_ready`,
   * `store_missing` and `state_already_initialized`.
   */
  async fromKeepers(
    proof: BootstrapProof,
    leased: string | undefined,
    record: (() => AuditDraft) | undefined,
    signal: AbortSignal,
  ): Promise<Founded> {
    const { keepers, threshold, count } = this.#options;
    const fetched = await keepers.collect(AbortSignal.any([signal, AbortSignal.timeout(callMs)]));
    try {
      if (this.#standing.noticeMissing(fetched))
        throw new SpikeError('store_missing', this.#standing.message);
      const proven = proveSplit(fetched, proof, { threshold, count, lease: leased !== undefined });
      this.#wrong.reportKeepers(proven.wrongKeepers);
      using scope = new DisposableStack();
      const rootKey = scope.use(proven.polynomial.rootKey());
      const instance = await this.#commit({
        rootKey,
        id: leased ?? newInstanceId(),
        keeper: { polynomial: proven.polynomial, count },
        recovery: this.#split(rootKey),
        ...(record === undefined ? {} : { record: record() }),
      });
      scope.move();
      return { instance, rootKey, hash: proven.hash };
    } finally {
      for (const { share } of fetched) share[Symbol.dispose]();
    }
  }

  /** Of a root key of its own that nobody keeps. */
  async alone(): Promise<OpenInstance> {
    using rootKey = RootKey.generate();
    const [keeper, recovery] = [this.#split(rootKey), this.#split(rootKey)];
    return await this.#commit({ rootKey, id: newInstanceId(), keeper, recovery });
  }

  #split(rootKey: RootKey): { readonly polynomial: Polynomial; readonly count: number } {
    const { threshold, count } = this.#options;
    return { polynomial: Polynomial.random(rootKey, threshold), count };
  }

  async #commit(parts: Omit<NewInstanceOptions, 'audit'>): Promise<OpenInstance> {
    const { store, audit } = this.#options;
    const { instance, ops } = createInstance({ ...parts, audit: audit() });
    try {
      const committed = await store.commit(ops);
      if (!committed.ok)
        throw new SpikeError('state_already_initialized', 'the store got an instance at the same moment');
    } catch (error) {
      instance[Symbol.dispose]();
      // It may hold one all the same; then no Bootstrap may overwrite the shares of its key.
      await this.#standing.look();
      throw error;
    }
    this.#standing.found(instance.head);
    return instance;
  }
}
