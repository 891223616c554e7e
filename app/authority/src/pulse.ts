/** Lets any number of waiters know that something they decide by may have changed. */
export class Pulse {
  readonly #waiters = new Set<() => void>();

  fire(): void {
    for (const wake of this.#waiters) wake();
  }

  /**
   * Arms before the caller looks at the state, so that no change falls between looking and waiting: `wait` of the
   * result resolves at the first change after this call, at the time limit, or when the signal fires.
   */
  arm(signal: AbortSignal): { wait(limitMs: number): Promise<void> } & Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#waiters.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    if (signal.aborted) wake();
    let timer: NodeJS.Timeout | undefined;
    return {
      wait: (limitMs) => {
        timer = setTimeout(wake, Math.min(Math.max(limitMs, 0), longestTimerMs)).unref();
        return promise;
      },
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        signal.removeEventListener('abort', wake);
      },
    };
  }
}

/** Timers take 31 bits of milliseconds; a waiter that wakes early looks and waits again. */
const longestTimerMs = 2 ** 31 - 1;
