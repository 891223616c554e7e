import { SpikeError } from '@spike/error';
import type { Secret } from '@spike/crypto';
import {
  argon2id,
  defaultCost,
  newSalt,
  sameTag,
  type Argon2,
  type HashCost,
  type PasswordHash,
} from './password-hash.ts';

export interface HashQueueOptions {
  readonly cost?: HashCost;
  /** How many run at once: each takes 64 MiB and up to four threads. */
  readonly atOnce?: number;
  readonly mostWaiting?: number;
  readonly argon2?: Argon2;
}

interface Waiting {
  readonly start: () => void;
}

/**
 * All hashing of passwords. At most so many run at once and so many wait, in the order of asking; who comes then is
 * refused with 429. So logins can take neither the processors nor the memory (admin.md B4).
 */
export class HashQueue {
  readonly cost: HashCost;
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  readonly #argon2: Argon2;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(options: HashQueueOptions = {}) {
    this.cost = options.cost ?? defaultCost;
    this.#atOnce = options.atOnce ?? 1;
    this.#mostWaiting = options.mostWaiting ?? 64;
    this.#argon2 = options.argon2 ?? argon2id;
  }

  /** A hash of today's cost with a salt of its own. Throws SpikeError `limit_exceeded` when too many wait, and the signal's reason. */
  async hash(password: Secret, signal: AbortSignal): Promise<PasswordHash> {
    const salt = newSalt();
    const { cost } = this;
    return { ...cost, salt, tag: await this.#run(password, salt, cost, signal) };
  }

  /** Whether this password made that hash; fails like `hash`. */
  async verify(password: Secret, hash: PasswordHash, signal: AbortSignal): Promise<boolean> {
    return sameTag(await this.#run(password, hash.salt, hash, signal), hash);
  }

  /** Who waits now, for the metrics. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Throws like `hash` when one more could not wait: to be asked before work that is for nothing then. */
  assertRoom(): void {
    if (this.#waiting.length >= this.#mostWaiting)
      throw new SpikeError('limit_exceeded', 'too many passwords are being checked: try again in a moment');
  }

  async #run(password: Secret, salt: Uint8Array, cost: HashCost, signal: AbortSignal): Promise<Uint8Array> {
    await this.#enter(signal);
    try {
      // A copy, since the secret may be wiped while this runs; it is wiped here in turn.
      const bytes = password.expose((own) => Uint8Array.from(own));
      try {
        return await this.#argon2(bytes, salt, cost);
      } finally {
        bytes.fill(0);
      }
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.start();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.#atOnce) {
      this.#running += 1;
      return;
    }
    this.assertRoom();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = {
      start: () => {
        // Taken here and not by the waiter, so that nobody slips in between.
        this.#running += 1;
        resolve();
      },
    };
    const abort = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    this.#waiting.push(waiting);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}
