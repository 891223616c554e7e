import { formatDuration } from '@spike/config';
import { SpikeError } from '@spike/error';

/** The end that a person or the system put to a command. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  /** As shells count it: 128 and the number of the signal. */
  readonly exit: number;

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`ended by ${signal}; what was sent before may have been done`);
    this.exit = signal === 'SIGINT' ? 130 : 143;
  }
}

/**
 * The time that a command has, and the signal that tells its end. The clock stands while a person is asked something.
 * Without `start` there is no end but an interruption.
 */
export class Deadline {
  readonly #controller = new AbortController();
  #remainingMs: number | undefined;
  #allowedMs = 0;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(ms: number): void {
    this.#allowedMs = ms;
    this.#remainingMs = ms;
    this.#run();
  }

  interrupt(signal: 'SIGINT' | 'SIGTERM'): void {
    this.#controller.abort(new Interruption(signal));
  }

  /** Runs what waits for a person, whose time it is. */
  async pauseFor<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    if (this.#remainingMs !== undefined) this.#remainingMs -= performance.now() - this.#startedAt;
    try {
      return await work();
    } finally {
      this.#run();
    }
  }

  #run(): void {
    if (this.#remainingMs === undefined) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => {
      const message = `it was not done within the ${formatDuration(this.#allowedMs)} of --timeout`;
      this.#controller.abort(new SpikeError('net_timeout', message));
    }, this.#remainingMs).unref();
  }
}
