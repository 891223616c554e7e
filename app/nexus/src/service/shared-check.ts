import { SpikeError } from '@spike/error';
import { waitOrAbort } from './abort.ts';
import type { KeyedLock } from './keyed-lock.ts';

/** Waited for between two pieces of work. */
export type Pace = () => Promise<void>;

interface Asker {
  readonly pace: Pace;
}

interface Running<Result> {
  readonly result: Promise<Result>;
  readonly stop: AbortController;
  /** Each with the pace that is enough for it. */
  readonly askers: Set<Asker>;
}

const hurry: Pace = () => Promise.resolve();

/**
 * Work that reads everything, and that many may ask for: one of it runs at a time, and of all that share `turns`. Who asks
 * while it runs gets what it finds. It goes as fast as the most hurried one wants, and ends when nobody waits any more.
 */
export class SharedCheck<Result> implements AsyncDisposable {
  readonly #turns: KeyedLock;
  readonly #work: (signal: AbortSignal, pace: Pace) => Promise<Result>;
  /** The one that is joined, and others that nobody waits for any more and that are about to end. */
  #running: Running<Result> | undefined;
  readonly #ending = new Set<Promise<unknown>>();
  #closed: SpikeError | undefined;

  constructor(turns: KeyedLock, work: (signal: AbortSignal, pace: Pace) => Promise<Result>) {
    this.#turns = turns;
    this.#work = work;
  }

  /** Throws what the work throws, and the signal's reason. */
  async run(signal: AbortSignal, pace: Pace = hurry): Promise<Result> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    const asker = { pace };
    const running = (this.#running ??= this.#start(asker));
    running.askers.add(asker);
    try {
      return await waitOrAbort(running.result, signal);
    } finally {
      running.askers.delete(asker);
      if (running.askers.size === 0) this.#end(running, signal.reason);
    }
  }

  /** Ends what runs, and resolves when it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = new SpikeError('state_not_ready', 'Nexus closes what it serves, or opens it anew');
    if (this.#running !== undefined) this.#end(this.#running, this.#closed);
    await Promise.allSettled(this.#ending);
  }

  #start(first: Asker): Running<Result> {
    const stop = new AbortController();
    const askers = new Set([first]);
    const pace = async (): Promise<void> => {
      for (const asker of askers) if (asker.pace === hurry) return;
      const [patient] = askers;
      // One that is broken off with its asker breaks nothing off for the others.
      if (patient !== undefined) await waitOrAbort(patient.pace(), stop.signal).catch(() => undefined);
    };
    const result = this.#turns.run('check', () => this.#work(stop.signal, pace), stop.signal);
    const running = { result, stop, askers };
    const ended = result
      .catch(() => undefined)
      .finally(() => {
        this.#ending.delete(ended);
        if (this.#running === running) this.#running = undefined;
      });
    this.#ending.add(ended);
    return running;
  }

  #end(running: Running<Result>, reason: unknown): void {
    running.stop.abort(reason);
    if (this.#running === running) this.#running = undefined;
  }
}
