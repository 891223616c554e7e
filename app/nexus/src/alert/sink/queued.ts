import { randomUUID } from 'node:crypto';
import { DeliveryQueue, type DeliveryOptions } from './queue.ts';
import { rankOf, replaces, type OnState, type Sink, type SinkAlert, type SinkItem } from './sink.ts';

/** An item on its way; tries of the same one are the same delivery. */
export interface Delivery {
  readonly id: string;
  readonly item: SinkItem;
}

interface QueuedOptions extends Pick<
  DeliveryOptions<Delivery>,
  'deliver' | 'concurrency' | 'most' | 'retryMs' | 'longestRetryMs' | 'tries'
> {
  readonly onState: OnState;
}

/** A sink whose receiver may be slow or away: what it is given waits in a queue. */
export abstract class QueuedSink implements Sink {
  readonly name: string;
  readonly #queue: DeliveryQueue<Delivery>;

  constructor(name: string, { onState, ...options }: QueuedOptions) {
    this.name = name;
    this.#queue = new DeliveryQueue({
      ...options,
      onState: (problem) => onState(name, problem),
      rankOf: ({ item }) => rankOf(item),
      replaces: ({ item }, waiting) => replaces(item, waiting.item),
    });
  }

  alert(alert: SinkAlert): void {
    this.#push({ type: 'alert', alert });
  }

  checkpoint(checkpoint: string): void {
    this.#push({ type: 'checkpoint', checkpoint });
  }

  /** How many wait, or are being delivered. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#queue.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue[Symbol.asyncDispose]();
  }

  #push(item: SinkItem): void {
    this.#queue.push({ id: randomUUID(), item });
  }
}
