import { toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Store } from '@spike/store';
import type { AlertPort } from '../alert/port.ts';
import type { HistoryPort } from '../history/port.ts';
import type { FoundAnchor } from '../vault/anchor-file.ts';
import { encodeHead, newestSplit, parseHead, type InstanceHead } from '../vault/head.ts';
import { missedByFiles, missedByKeepers } from './foreign.ts';
import type { FetchedShare } from './keeper-set.ts';

/**
 * `empty`: no instance, and none is missed. `locked`: an instance whose root key is not here. `ready`: unlocked.
 * `store_missing` and `store_integrity`: refused until a person has looked; see the message.
 */
export type CustodyState = 'empty' | 'locked' | 'ready' | 'store_missing' | 'store_integrity';

export interface StandingOptions {
  readonly store: Store;
  readonly anchor: () => FoundAnchor;
  readonly log: Log;
  readonly alerts: AlertPort;
  readonly history: HistoryPort;
  /** The one instance that may be served; undefined for any. */
  readonly pinned: string | undefined;
}

/** In which state custody is, why, and of which instance: what others are told of it. */
export class Standing {
  readonly #options: StandingOptions;
  #state: CustodyState = 'locked';
  #message = 'the store has not been looked at yet';
  #head: InstanceHead | undefined;
  #headBytes: Uint8Array | undefined;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  get state(): CustodyState {
    return this.#state;
  }

  /** Why it is in this state, for people. */
  get message(): string {
    return this.#message;
  }

  get head(): InstanceHead | undefined {
    return this.#head;
  }

  /** Of the head that the store has, whether or not it can be read. */
  get headBytes(): Uint8Array | undefined {
    return this.#headBytes;
  }

  /** Reads the head of the store and decides what there is to wait for. */
  async look(): Promise<void> {
    const { store, anchor, pinned } = this.#options;
    const head = await store.head();
    const found = anchor();
    if (head === undefined) {
      const missed = missedByFiles(found, pinned);
      if (missed === undefined) this.set('empty', 'nothing was bootstrapped yet');
      else this.set('store_missing', missed);
      return;
    }
    this.#headBytes = head.bytes;
    try {
      this.#head = parseHead(head.bytes);
      newestSplit(this.#head.splits, 'keeper');
      newestSplit(this.#head.splits, 'recovery');
    } catch (error) {
      const { code, message } = toSpikeError(error);
      if (code !== 'store_integrity') throw error;
      this.set('store_integrity', message);
      return;
    }
    if (pinned !== undefined && this.#head.instance !== pinned) {
      this.set(
        'store_missing',
        `the store is of instance ${this.#head.instance}, SPIKE_NEXUS_INSTANCE names ${pinned}`,
      );
      return;
    }
    this.set(
      'locked',
      'the root key is not here; it comes from the Keepers or from `spike operator restore`',
    );
  }

  /** Answers whether the Keepers miss the instance of a store that is empty; then that is the state. */
  noticeMissing(fetched: readonly FetchedShare[]): boolean {
    const missed = this.#state === 'empty' ? missedByKeepers(fetched) : undefined;
    if (missed === undefined) return false;
    this.set('store_missing', missed);
    return true;
  }

  /** An instance was made. Until it serves it is locked: should that fail, its key comes back from the Keepers, as after a restart. */
  found(head: InstanceHead): void {
    this.#head = head;
    this.#headBytes = encodeHead(head);
    this.set('locked', 'the instance was made and is being opened');
  }

  set(state: CustodyState, message: string): void {
    if (state !== this.#state) {
      const level = state === 'store_missing' || state === 'store_integrity' ? 'error' : 'info';
      this.#options.log[level]('custody.state', { state, message });
      if (level === 'error') {
        this.#options.alerts.raise({ kind: 'store_integrity', subject: state, message });
        this.#options.history.note('refused', { state });
      }
    }
    this.#state = state;
    this.#message = message;
  }

  /** The state stays, and this is why. */
  explain(message: string): void {
    this.#message = message;
  }

  /** The same, told when it is news. */
  wait(message: string): void {
    if (message !== this.#message) this.#options.log.info('custody.waiting', { message });
    this.#message = message;
  }
}
