import { setTimeout as delay } from 'node:timers/promises';
import { toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Verification } from './verification.ts';

export interface BackgroundCheckOptions {
  /** Checks everything, and waits for `pace` between two pieces of work. */
  readonly verify: (signal: AbortSignal, pace: () => Promise<void>) => Promise<Verification>;
  /** Gets what is to be shown in `status`: nothing when all is well. */
  readonly note: (problems: readonly string[]) => void;
  readonly log: Log;
  /** Requests that waited for the unlocking come first. */
  readonly startAfterMs?: number;
  readonly pauseMs?: number;
}

const startAfterMs = 1_000;
/** A page of records takes a few milliseconds, so the check leaves most of the time to requests. */
const pauseMs = 10;

/** The full check of a store and its audit that was just unlocked. It changes nothing; disposing of it ends it. */
export class BackgroundCheck implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: BackgroundCheckOptions) {
    this.#running = this.#run(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run({ verify, note, log, ...times }: BackgroundCheckOptions): Promise<void> {
    const { signal } = this.#stop;
    const wait = (ms: number): Promise<void> => delay(ms, undefined, { signal, ref: false });
    const started = performance.now();
    try {
      await wait(times.startAfterMs ?? startAfterMs);
      const { ok, checked, problems } = await verify(signal, () => wait(times.pauseMs ?? pauseMs));
      note(problems);
      const durationMs = Math.round(performance.now() - started);
      if (ok) log.info('check.passed', { checked, durationMs });
      else log.error('check.failed', { checked, durationMs, message: problems.join('; ') });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toSpikeError(error);
      note([`the check in the background did not come to its end: ${message}`]);
      log.error('check.broken', { code, message });
    }
  }
}
