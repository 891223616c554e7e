import { SpikeError } from '@spike/error';

/** Bodies below this are not counted: connections are limited already, and most bodies are small and whole. */
const leastBytes = 16 * 1024;
const mostBytes = 256 * 1024 * 1024;

/** A body that is on its way. */
export interface Arrival {
  /** Ends it with an error; called at most once, and never after `done`. */
  refuse(error: SpikeError): void;
}

/**
 * Bodies that have not come to their end yet lie in memory. Together they may have so many bytes: beyond, the one that
 * has been on its way for longest is refused, since an honest body takes milliseconds.
 */
export class Intake {
  readonly #mostBytes: number;
  readonly #arriving = new Map<Arrival, number>();
  #bytes = 0;

  constructor(most = mostBytes) {
    this.#mostBytes = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Told how much of a body is here, as often as some of it comes. */
  note(arrival: Arrival, bytes: number): void {
    if (bytes < leastBytes) return;
    this.#bytes += bytes - (this.#arriving.get(arrival) ?? 0);
    this.#arriving.set(arrival, bytes);
    for (const [oldest] of this.#arriving) {
      if (this.#bytes <= this.#mostBytes) return;
      this.done(oldest);
      oldest.refuse(
        new SpikeError('limit_exceeded', 'too many bodies are on their way at once; try again later'),
      );
    }
  }

  /** It is whole, or given up. */
  done(arrival: Arrival): void {
    this.#bytes -= this.#arriving.get(arrival) ?? 0;
    this.#arriving.delete(arrival);
  }
}
