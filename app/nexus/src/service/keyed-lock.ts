import { waitOrAbort } from './abort.ts';

/** One at a time for each key, in the order of asking. What has no key in common runs side by side. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Rejects with the signal's reason when it is aborted while this waits; a task that has begun is left to itself. */
  async run<T>(key: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: mine, resolve: release } = Promise.withResolvers<void>();
    // Who gave up waiting leaves a place that ends only when all before it have.
    const tail = before === undefined ? mine : before.then(() => mine);
    this.#tails.set(key, tail);
    try {
      if (before !== undefined) await (signal === undefined ? before : waitOrAbort(before, signal));
      signal?.throwIfAborted();
      return await task();
    } finally {
      release();
      void tail.then(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    }
  }

  /** Keys that somebody holds or waits for. */
  get size(): number {
    return this.#tails.size;
  }
}
