import { setTimeout as delay } from 'node:timers/promises';
import { currentOf, type IdentitySource } from '@spike/spiffe';
import type { IdentityTerm } from './term.ts';

const reasons = ['absent', 'permission_denied', 'expired', 'grace_over'] as const;
type LossReason = (typeof reasons)[number];

/** That we serve no longer under our identity: why, and since when, in milliseconds since 1970. */
export interface Loss {
  readonly reason: LossReason;
  readonly at: number;
}

export function isLossReason(value: string): value is LossReason {
  return reasons.some((reason) => reason === value);
}

export interface GuardTiming {
  /** What is written about a loss gets this long; what is not done then is made up by the next process. */
  readonly recordMs: number;
  /** When the Workload API is asked once more: a mistake of its own has to have passed by then. */
  readonly askMs: number;
  /** An identity that is back within this was taken away by mistake. */
  readonly confirmMs: number;
  /** How often the end of the identity is looked for, which nobody tells. */
  readonly lookMs: number;
}

export interface GuardOptions {
  readonly source: IdentitySource;
  readonly term: IdentityTerm;
  /** Closes the gate and resets all connections, before it returns. */
  readonly cut: (loss: Loss) => void;
  /** Writes down what happened, as far as it gets; never rejects. */
  readonly record: (loss: Loss) => Promise<void>;
  /** Asks the Workload API once more; true when it says again that we have no identity. */
  readonly confirm: (signal: AbortSignal) => Promise<boolean>;
  /** It was a mistake: we hold an identity again, and have kept the keys. */
  readonly returned: (loss: Loss) => void;
  /** Drops all memory, and with it the keys; does not return where that is to be had. */
  readonly replace: () => void;
  /** This process is about to end anyway. */
  readonly signal: AbortSignal;
  readonly timing?: Partial<GuardTiming>;
}

const usual: GuardTiming = { recordMs: 200, askMs: 250, confirmMs: 500, lookMs: 1_000 };

/**
 * What follows when our identity is lost, in this order and whatever fails: nothing is served from the same turn on;
 * it is written down; unless it turns out a mistake, this process drops its memory.
 */
export class IdentityGuard implements Disposable {
  readonly #options: GuardOptions;
  readonly #timing: GuardTiming;
  readonly #subscription: Disposable;
  readonly #pulse: NodeJS.Timeout;
  readonly #closed = new AbortController();
  /** This guard is closed, or its process is about to end. */
  readonly #stop: AbortSignal;
  #busy = false;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#timing = { ...usual, ...options.timing };
    this.#stop = AbortSignal.any([this.#closed.signal, options.signal]);
    this.#subscription = options.source.subscribe((change) => {
      if (change.kind === 'withdrawn') this.#lose(change.reason);
      else this.look();
    });
    this.#pulse = setInterval(() => this.look(), this.#timing.lookMs).unref();
    // Nobody tells us of what was before.
    if (options.source.state === 'withdrawn') this.#lose('absent');
    else this.look();
  }

  /** Whether the identity has ended by itself meanwhile. */
  look(): void {
    const end = this.#options.term.ended;
    if (end !== undefined) this.#lose(end);
  }

  #lose(reason: LossReason): void {
    if (this.#busy) return;
    this.#busy = true;
    const loss = { reason, at: Date.now() };
    this.#options.cut(loss);
    void this.#follow(loss);
  }

  async #follow(loss: Loss): Promise<void> {
    const { source, record, returned, replace } = this.#options;
    const { recordMs, askMs, confirmMs } = this.#timing;
    const back = new AbortController();
    const end = AbortSignal.any([back.signal, this.#stop]);
    const [asking, over] = [wait(askMs, end), wait(confirmMs, end)];
    using _heard = source.subscribe(() => {
      if (this.#holds) back.abort();
    });
    const written = new AbortController();
    await Promise.race([record(loss), wait(recordMs, AbortSignal.any([written.signal, this.#stop]))]);
    written.abort();
    await asking;
    // Without an agent there is nobody to ask, and nothing to wait for.
    if (!end.aborted && source.state !== 'unreachable')
      await Promise.race([over, this.#confirmed(end, over)]);
    back.abort();
    if (this.#stop.aborted) return;
    if (!this.#holds) {
      replace();
      return;
    }
    this.#busy = false;
    returned(loss);
  }

  /** Resolves early when the Workload API says the same again. */
  async #confirmed(end: AbortSignal, over: Promise<void>): Promise<void> {
    const { confirm } = this.#options;
    const isConfirmed = await confirm(AbortSignal.any([end, AbortSignal.timeout(this.#timing.confirmMs)]));
    if (!isConfirmed) await over;
  }

  get #holds(): boolean {
    const { source } = this.#options;
    return source.state === 'held' && currentOf(source) !== undefined;
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    clearInterval(this.#pulse);
    this.#subscription[Symbol.dispose]();
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
