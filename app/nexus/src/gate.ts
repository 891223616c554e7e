import type { Need } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Gate } from '@spike/server';
import type { IdentitySource } from '@spike/spiffe';
import type { CustodyState } from './recovery/custody.ts';

/** What the gate asks about the root key. */
export interface KeyState {
  readonly state: CustodyState;
  readonly message: string;
}

/**
 * Decides whether a request may be served at all. The identity epoch is the number that stands for "we hold our
 * identity": it changes in the turn in which the identity is withdrawn, so that an answer which was begun before
 * never leaves after it.
 */
export class NexusGate implements Gate, Disposable {
  readonly #source: IdentitySource;
  readonly #key: KeyState;
  readonly #subscription: Disposable;
  #epoch = 0;

  constructor(source: IdentitySource, key: KeyState) {
    this.#source = source;
    this.#key = key;
    this.#subscription = source.subscribe((change) => {
      if (change.kind === 'withdrawn') this.#epoch += 1;
    });
  }

  get identityEpoch(): number {
    return this.#epoch;
  }

  get unlocked(): boolean {
    return this.#key.state === 'ready';
  }

  check(need: Need): void {
    if (!this.#holdsIdentity()) {
      throw new SpikeError('identity_withdrawn', 'Nexus holds no identity at the moment');
    }
    const { state, message } = this.#key;
    if (need === 'any' || state === 'ready') return;
    if (need === 'ceremony' && state === 'empty') return;
    const code = state === 'store_missing' || state === 'store_integrity' ? state : 'state_not_ready';
    throw new SpikeError(code, message);
  }

  /** With an agent that is away the last identity serves until it expires, which nobody tells us. */
  #holdsIdentity(): boolean {
    if (this.#source.state === 'withdrawn') return false;
    try {
      this.#source.current();
      return true;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
