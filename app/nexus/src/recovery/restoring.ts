import { type Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { SplitHead } from '../vault/head.ts';
import { matchesHint } from '../vault/manifest.ts';

/** Shares that people typed are forgotten after this long without a further one. */
const idleMs = 15 * 60_000;

export interface RestoreProgress {
  readonly collected: number;
  readonly remaining: number;
  readonly restored: boolean;
  /** This share was brought before. */
  readonly repeated?: true;
}

/** The recovery shares that `operator restore` has brought until now. */
export class Restoring implements Disposable {
  readonly #shares = new Map<number, Share>();
  #timer: NodeJS.Timeout | undefined;

  get shares(): readonly Share[] {
    return [...this.#shares.values()];
  }

  /**
   * Takes a share over; one that was brought before replaces nothing and is wiped. Throws SpikeError
   * `shamir_reconstruction_failed` for one that is not of this split, and then nothing has changed.
   */
  take(share: Share, split: SplitHead, instance: string): RestoreProgress {
    const { id } = share;
    if (!matchesHint(split, instance, share)) {
      share[Symbol.dispose]();
      throw new SpikeError(
        'shamir_reconstruction_failed',
        `share ${id} is not a recovery share of instance ${instance}; nothing was changed`,
        { detail: { id } },
      );
    }
    const isRepeated = this.#shares.has(id);
    if (isRepeated) {
      share[Symbol.dispose]();
    } else {
      this.#shares.set(id, share);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this[Symbol.dispose](), idleMs).unref();
    }
    const collected = this.#shares.size;
    const remaining = Math.max(0, split.threshold - collected);
    return { collected, remaining, restored: false, ...(isRepeated ? { repeated: true } : {}) };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const share of this.#shares.values()) share[Symbol.dispose]();
    this.#shares.clear();
  }
}
