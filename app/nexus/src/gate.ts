import type { Need } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Gate } from '@spike/server';
import type { IdentitySource, SpiffeId } from '@spike/spiffe';
import type { IdentityTerm } from './identity/term.ts';
import type { CustodyState } from './recovery/custody.ts';

/** What the gate asks about the root key. */
export interface KeyState {
  readonly state: CustodyState;
  readonly message: string;
  /** Of an unlocked store, whether a backup is being restored into it, and who is denied. */
  readonly opened?:
    | {
        readonly backups: { readonly restoring: object | undefined };
        readonly denials: { denies(peer: SpiffeId): boolean };
      }
    | undefined;
}

/**
 * Decides whether a request may be served at all. The identity epoch is the number that stands for "we hold our
 * identity": it changes in the turn in which the identity is withdrawn, so that an answer which was begun before
 * never leaves after it.
 */
export class NexusGate implements Gate, Disposable {
  readonly #source: IdentitySource;
  readonly #key: KeyState;
  readonly #term: Pick<IdentityTerm, 'ended'>;
  readonly #subscription: Disposable;
  #epoch = 0;
  #closed = false;

  constructor(source: IdentitySource, key: KeyState, term: Pick<IdentityTerm, 'ended'>) {
    this.#source = source;
    this.#key = key;
    this.#term = term;
    this.#subscription = source.subscribe((change) => {
      if (change.kind === 'withdrawn') this.close();
      if (change.kind === 'updated') this.#closed = false;
    });
  }

  /** Until the next identity: nothing is served, and no answer leaves that was begun before. */
  close(): void {
    this.#epoch += 1;
    this.#closed = true;
  }

  get identityEpoch(): number {
    return this.#epoch;
  }

  get unlocked(): boolean {
    return this.#key.state === 'ready';
  }

  check(need: Need): void {
    if (!this.holdsIdentity) {
      throw new SpikeError('identity_withdrawn', 'Nexus holds no identity at the moment');
    }
    const { state, message } = this.#key;
    if (need === 'any') return;
    if (state === 'ready') {
      if (need === 'unlocked' && this.#key.opened?.backups.restoring !== undefined) throw restoring();
      return;
    }
    if (need === 'ceremony' && state === 'empty') return;
    const code = state === 'store_missing' || state === 'store_integrity' ? state : 'state_not_ready';
    throw new SpikeError(code, message);
  }

  /** Without the key nobody knows; nothing is served then but what is for everybody. */
  denies(peer: SpiffeId): boolean {
    return this.#key.opened?.denials.denies(peer) ?? false;
  }

  /** With an agent that is away the last identity serves until it expires or its grace is over, which nobody tells us. */
  get holdsIdentity(): boolean {
    if (this.#closed || this.#source.state === 'withdrawn' || this.#term.ended !== undefined) return false;
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

function restoring(): SpikeError {
  return new SpikeError(
    'state_not_ready',
    'a backup is being restored, and nothing else is served until it is through: go on with `spike backup restore`',
  );
}
