import { SpikeError, untilLater } from '@spike/error';
import { createTicks, type Ticks } from '../admin/ticks.ts';

/** Who may take the recovery shares out, and until when: milliseconds since 1970, of the wall clock. */
export interface RecoveryPass {
  readonly spiffeId: string;
  /** The administrator who gave it. */
  readonly by: string;
  readonly expiresAt: number;
}

export interface RecoveryDoorOptions {
  /** Whether this SPIFFE ID has the role of recover at all. */
  readonly isRecover: (spiffeId: string) => boolean;
  /** Whether this administrator may still give what he gave. */
  readonly mayGive: (administrator: string) => boolean;
  readonly ticks?: Ticks;
  readonly wall?: () => number;
}

/** A pass that nobody else can take meanwhile. Unless it was used, its end gives it back. */
export interface TakenPass extends Disposable {
  readonly by: string;
  /** Throws SpikeError `approval_required` when whoever opened it may no more. */
  check(): void;
  use(): void;
}

interface Held {
  readonly pass: RecoveryPass;
  readonly endsAt: number;
}

const passMs = 10 * 60_000;
const mostPasses = 20;

/**
 * Lets a `recover` SVID take the recovery shares out where a super_admin has opened that for exactly this SPIFFE ID
 * (admin.md C9): shares are the root key, so the SVID alone must not be a way round the second layer. In memory alone.
 */
export class RecoveryDoor {
  readonly #options: RecoveryDoorOptions;
  readonly #ticks: Ticks;
  readonly #wall: () => number;
  readonly #passes = new Map<string, Held>();

  constructor(options: RecoveryDoorOptions) {
    this.#options = options;
    this.#ticks = options.ticks ?? createTicks();
    this.#wall = options.wall ?? Date.now;
  }

  /** Throws SpikeError `data_invalid_input` for an ID that could not use it, and `limit_exceeded`. */
  open(spiffeId: string, by: string): RecoveryPass {
    if (!this.#options.isRecover(spiffeId))
      throw new SpikeError(
        'data_invalid_input',
        'this SPIFFE ID cannot take recovery shares out: it has to be at or below /spike/pilot/role/recover, in a trust domain of Pilots',
      );
    this.#sweep();
    if (this.#passes.size >= mostPasses && !this.#passes.has(spiffeId))
      throw new SpikeError(
        'limit_exceeded',
        `at most ${mostPasses} SPIFFE IDs may take recovery shares out`,
        untilLater,
      );
    const pass = { spiffeId, by, expiresAt: this.#wall() + passMs };
    this.#passes.set(spiffeId, { pass, endsAt: this.#ticks() + passMs });
    return pass;
  }

  /** Throws SpikeError `approval_required` where there is none. */
  take(spiffeId: string): TakenPass {
    this.#sweep();
    const held = this.#passes.get(spiffeId);
    this.#passes.delete(spiffeId);
    if (held !== undefined && this.#options.mayGive(held.pass.by)) return this.#taken(held);
    throw new SpikeError(
      'approval_required',
      `a super_admin has to open this first: spike approve recover --for ${spiffeId}; it then works once, for 10 minutes`,
    );
  }

  list(): readonly RecoveryPass[] {
    this.#sweep();
    return [...this.#passes.values()].map(({ pass }) => pass);
  }

  #taken(held: Held): TakenPass {
    const { spiffeId, by } = held.pass;
    let isTaken = true;
    return {
      by,
      check: () => {
        if (!this.#options.mayGive(by)) throw closed(spiffeId);
      },
      use: () => (isTaken = false),
      [Symbol.dispose]: () => {
        // Of two, where it was opened again meanwhile, the newer one is enough.
        if (isTaken && !this.#passes.has(spiffeId)) this.#passes.set(spiffeId, held);
        isTaken = false;
      },
    };
  }

  #sweep(): void {
    const now = this.#ticks();
    for (const [spiffeId, { endsAt }] of this.#passes) if (now >= endsAt) this.#passes.delete(spiffeId);
  }
}

function closed(spiffeId: string): SpikeError {
  return new SpikeError(
    'approval_required',
    `a super_admin has to open this first: spike approve recover --for ${spiffeId}; it then works once, for 10 minutes`,
    { detail: { spiffeId } },
  );
}
