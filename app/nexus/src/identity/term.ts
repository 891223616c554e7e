import { currentOf, type IdentitySource } from '@spike/spiffe';
import { createTicks, type Ticks } from '../admin/ticks.ts';

/** Why an identity that nobody took away serves no longer. */
export type TermEnd = 'expired' | 'grace_over';

export interface TermOptions {
  readonly source: IdentitySource;
  /** How long it serves without an agent, in milliseconds; undefined for as long as the SVID lives. */
  readonly graceMs: number | undefined;
  /** Monotonic, so that a clock which is set neither lengthens nor shortens the grace. */
  readonly ticks?: Ticks;
}

/**
 * Until when the identity that we hold serves: the end of the SVID, by the wall clock as its peers read it, or the end
 * of the grace without an agent, whichever comes first.
 */
export class IdentityTerm implements Disposable {
  readonly #options: TermOptions;
  readonly #ticks: Ticks;
  readonly #subscription: Disposable;
  /** When the agent was heard of last, in ticks; undefined while it is there. */
  #awaySince: number | undefined;

  constructor(options: TermOptions) {
    const { source, ticks = createTicks() } = options;
    this.#options = options;
    this.#ticks = ticks;
    if (source.state === 'unreachable') this.#awaySince = ticks();
    this.#subscription = source.subscribe(({ kind }) => {
      this.#awaySince = kind === 'unreachable' ? ticks() : undefined;
    });
  }

  /** Undefined while the identity serves, and where there is none that could. */
  get ended(): TermEnd | undefined {
    const { source } = this.#options;
    if (source.state === 'withdrawn') return undefined;
    if (this.#graceLeftMs() <= 0) return 'grace_over';
    return currentOf(source) === undefined ? 'expired' : undefined;
  }

  /** Until when it serves if nothing changes, in milliseconds since 1970; undefined where it serves no longer. */
  until(now = Date.now()): number | undefined {
    const notAfter = currentOf(this.#options.source)?.svid.notAfter.getTime();
    if (notAfter === undefined || this.ended !== undefined) return undefined;
    return Math.min(notAfter, Math.round(now + this.#graceLeftMs()));
  }

  #graceLeftMs(): number {
    const { graceMs } = this.#options;
    if (this.#awaySince === undefined || graceMs === undefined) return Infinity;
    return this.#awaySince + graceMs - this.#ticks();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
