import assert from 'node:assert/strict';
import { until } from '../system.ts';
import { monotonicMs } from './witness.ts';

/** A Nexus that is locked refuses at once; one that is only slow, on a machine that is busy, answers in this. */
const callMs = 30_000;
/** Enough calls to see any gap, and few enough that they do not keep the machine busy. */
const pauseMs = 5;

/** So many calls that fail, and so long, are no accident. */
const enoughCalls = 20;
const quietMs = 1_500;

interface Call {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly error: unknown;
}

/** Somebody who asks again and again, and remembers how each call ended and when. */
export class Load implements AsyncDisposable {
  readonly #calls: Call[] = [];
  readonly #end = new AbortController();
  readonly #running: Promise<unknown>;

  private constructor(call: (deadlineMs: number) => Promise<void>, width: number) {
    this.#running = Promise.all(Array.from({ length: width }, () => this.#run(call)));
  }

  static start(call: (deadlineMs: number) => Promise<void>, width = 4): Load {
    return new Load(call, width);
  }

  /** Waits for a call that was begun after a moment and succeeded; answers when it ended. */
  async succeeds(sinceMs: number): Promise<number> {
    return await until('a call succeeds', () => {
      return this.#calls.find(({ startedMs, error }) => startedMs > sinceMs && error === undefined)?.endedMs;
    });
  }

  /** Waits until nothing has succeeded for a while; answers when the last call did. */
  async ends(): Promise<number> {
    return await until('calls fail', () => {
      const lastMs = this.lastSuccessBefore(Infinity);
      const after = this.#calls.filter(({ startedMs }) => startedMs > lastMs);
      return monotonicMs() - lastMs > quietMs && after.length >= enoughCalls && lastMs;
    });
  }

  lastSuccessBefore(untilMs: number): number {
    const last = this.#calls.findLast(({ endedMs, error }) => endedMs < untilMs && error === undefined);
    assert.ok(last !== undefined, 'no call succeeded');
    return last.endedMs;
  }

  countSuccesses(fromMs: number, untilMs: number): number {
    return this.#calls.filter(
      ({ endedMs, error }) => endedMs >= fromMs && endedMs < untilMs && error === undefined,
    ).length;
  }

  get count(): number {
    return this.#calls.length;
  }

  /** What went wrong since a moment, each kind once. */
  failures(sinceMs = -Infinity): readonly string[] {
    const failed = this.#calls.filter(({ endedMs, error }) => endedMs > sinceMs && error !== undefined);
    return [...new Set(failed.map(({ error }) => String(error)))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(call: (deadlineMs: number) => Promise<void>): Promise<void> {
    while (!this.#end.signal.aborted) {
      const startedMs = monotonicMs();
      let error: unknown;
      try {
        await call(callMs);
      } catch (thrown) {
        error = thrown;
      }
      this.#calls.push({ startedMs, endedMs: monotonicMs(), error });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
