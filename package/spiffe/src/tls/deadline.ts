import { SpiffeError } from '../error.ts';

/** The longest that a timer of Node can wait; it takes what is longer for a millisecond. */
export const longestTimerMs = 2 ** 31 - 1;

/** A signal that fires at the deadline, with its caller's, or when the pool is closed. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #sources: readonly AbortSignal[];
  readonly #abort: () => void;

  constructor(limits: { readonly signal?: AbortSignal; readonly timeoutMs: number }, closing: AbortSignal) {
    this.#sources = limits.signal === undefined ? [closing] : [closing, limits.signal];
    this.#timer = setTimeout(
      () => {
        this.#controller.abort(
          new SpiffeError('deadline_exceeded', `no answer within ${limits.timeoutMs} ms`),
        );
      },
      Math.min(limits.timeoutMs, longestTimerMs),
    );
    this.#abort = () =>
      this.#controller.abort(asSpiffeError(this.#sources.find((source) => source.aborted)?.reason));
    for (const source of this.#sources) source.addEventListener('abort', this.#abort, { once: true });
    if (this.#sources.some((source) => source.aborted)) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const source of this.#sources) source.removeEventListener('abort', this.#abort);
  }
}

/** What a signal was aborted with, as an error of ours. */
export function asSpiffeError(reason: unknown): SpiffeError {
  return reason instanceof SpiffeError
    ? reason
    : new SpiffeError('aborted', 'the request was aborted', { cause: reason });
}
