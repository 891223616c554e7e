import { type Share } from '@spike/crypto';

/** Shares that people typed are forgotten after this long without a further one. */
const idleMs = 15 * 60_000;

/** The recovery shares that `operator restore` has brought until now. */
export class Restoring implements Disposable {
  readonly #shares = new Map<number, Share>();
  #timer: NodeJS.Timeout | undefined;

  get shares(): readonly Share[] {
    return [...this.#shares.values()];
  }

  get size(): number {
    return this.#shares.size;
  }

  /** Takes a share over; one whose id was brought before replaces nothing and is wiped. */
  add(share: Share): void {
    if (this.#shares.has(share.id)) share[Symbol.dispose]();
    else this.#shares.set(share.id, share);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this[Symbol.dispose](), idleMs).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const share of this.#shares.values()) share[Symbol.dispose]();
    this.#shares.clear();
  }
}
