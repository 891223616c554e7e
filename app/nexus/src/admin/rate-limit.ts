import { SpikeError } from '@spike/error';

export interface RateLimitOptions {
  readonly now: () => number;
  /** At once. */
  readonly burst?: number;
  readonly perSecond?: number;
  /** Callers that are remembered; who was not here for longest is forgotten first. */
  readonly mostCallers?: number;
}

interface Bucket {
  left: number;
  at: number;
}

/** So many tries of one SPIFFE ID, whoever it says it is: asked before any hash is computed (admin.md B4). */
export class RateLimit {
  readonly #now: () => number;
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #mostCallers: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: RateLimitOptions) {
    this.#now = options.now;
    this.#burst = options.burst ?? 30;
    this.#perSecond = options.perSecond ?? 1;
    this.#mostCallers = options.mostCallers ?? 1_000;
  }

  /** Throws SpikeError `limit_exceeded`. */
  take(caller: string): void {
    const now = this.#now();
    const bucket = this.#buckets.get(caller) ?? { left: this.#burst, at: now };
    const left = Math.min(this.#burst, bucket.left + ((now - bucket.at) / 1_000) * this.#perSecond);
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { left: left < 1 ? left : left - 1, at: now });
    if (this.#buckets.size > this.#mostCallers) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    if (left >= 1) return;
    const retryAfterMs = Math.ceil(((1 - left) / this.#perSecond) * 1_000);
    const seconds = Math.ceil(retryAfterMs / 1_000);
    throw new SpikeError(
      'limit_exceeded',
      `too many logins from this SPIFFE ID: try again in ${seconds} s, and keep the token that a login gives`,
      { detail: { retryAfterMs } },
    );
  }
}
