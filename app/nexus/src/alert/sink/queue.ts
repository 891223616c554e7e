import { setTimeout as delay } from 'node:timers/promises';

export interface DeliveryOptions<Item> {
  /** Throws when it could not be delivered; a `FinalError` is not tried again. */
  readonly deliver: (item: Item, signal: AbortSignal) => Promise<void>;
  /** Of the whole queue: a problem, or undefined when it works again. */
  readonly onState: (problem: string | undefined) => void;
  readonly concurrency: number;
  /** More than that, and one that waits is dropped: the oldest of those with the lowest rank. */
  readonly most: number;
  readonly rankOf: (item: Item) => number;
  /** Whether nobody needs `waiting` any more when `item` is there. */
  readonly replaces: (item: Item, waiting: Item) => boolean;
  /** The first wait before another try, doubled each time up to the longest. */
  readonly retryMs: number;
  readonly longestRetryMs: number;
  readonly tries: number;
}

/** Trying again would not help: the receiver has refused this. */
export class FinalError extends Error {
  override readonly name = 'FinalError';
}

/** Delivers in order (where one at a time is), tries again with growing waits, and forgets rather than grows. */
export class DeliveryQueue<Item> implements AsyncDisposable {
  readonly #options: DeliveryOptions<Item>;
  readonly #waiting: Item[] = [];
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #problem: string | undefined;
  dropped = 0;

  constructor(options: DeliveryOptions<Item>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length + this.#running.size;
  }

  push(item: Item): void {
    if (this.#stop.signal.aborted) return;
    const { most, replaces } = this.#options;
    const replaced = this.#waiting.findIndex((waiting) => replaces(item, waiting));
    if (replaced >= 0) this.#waiting.splice(replaced, 1);
    this.#waiting.push(item);
    if (this.#waiting.length > most) {
      this.#waiting.splice(this.#findLeast(), 1);
      this.dropped += 1;
    }
    this.#start();
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#waiting.length = 0;
    await this.idle();
  }

  /** So that a flood of what is of little weight drops none of what is of much. */
  #findLeast(): number {
    const ranks = this.#waiting.map(this.#options.rankOf);
    return ranks.indexOf(Math.min(...ranks));
  }

  #start(): void {
    while (this.#running.size < this.#options.concurrency) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      const running = this.#run(item).finally(() => {
        this.#running.delete(running);
        this.#start();
      });
      this.#running.add(running);
    }
  }

  async #run(item: Item): Promise<void> {
    const { deliver, tries, retryMs, longestRetryMs } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await deliver(item, signal);
        this.#say(undefined);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#say(error instanceof Error ? error.message : 'it failed');
        if (error instanceof FinalError || attempt >= tries) {
          this.dropped += 1;
          return;
        }
        const waitMs = Math.min(longestRetryMs, retryMs * 2 ** (attempt - 1));
        await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
        if (signal.aborted) return;
      }
    }
  }

  #say(problem: string | undefined): void {
    const isNews = (problem === undefined) !== (this.#problem === undefined);
    this.#problem = problem;
    if (isNews) this.#options.onState(problem);
  }
}
