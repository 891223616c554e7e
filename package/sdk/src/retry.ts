import { setTimeout as delay } from 'node:timers/promises';
import { SpikeError, toSpikeError } from '@spike/error';

const firstDelayMs = 50;
const longestDelayMs = 1000;

/** Refused before anything was done, so asking again repeats nothing. */
const refusedEarly: ReadonlySet<string> = new Set(['state_not_ready', 'limit_exceeded']);

/** Whether a failed request may be sent again: nothing was done by it, or doing it twice is doing it once. */
export function mayRetry(error: SpikeError, repeatable: boolean): boolean {
  if (refusedEarly.has(error.code)) return true;
  if (error.code !== 'net_peer_connection' && error.code !== 'net_timeout') {
    return repeatable && error.row.retry;
  }
  // A server that is there and is not the right one will not become it.
  if (error.detail['refused'] === true) return false;
  return repeatable || error.detail['sent'] === false;
}

/** A longer wait is for whoever asked to decide about. */
const soonMs = 10_000;

/** Too much was asked for, nothing was done, and the server says that it will take it in a moment. */
export function isToldSoon(error: SpikeError): boolean {
  const toldMs = toldPauseMs(error);
  return error.code === 'limit_exceeded' && toldMs !== undefined && toldMs <= soonMs;
}

function toldPauseMs({ detail }: SpikeError): number | undefined {
  const ms = detail['retryAfterMs'];
  return typeof ms === 'number' ? ms : undefined;
}

/** Calls until it succeeds, fails for good, or the deadline leaves no room for another try. */
export async function callWithRetry<T>(
  call: (remainingMs: number) => Promise<T>,
  options: {
    readonly deadlineMs: number;
    /** Whether it may be sent again after this. */
    readonly mayAgain: (error: SpikeError) => boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<T> {
  const until = performance.now() + options.deadlineMs;
  let telling: SpikeError | undefined;
  for (let waitMs = firstDelayMs; ; waitMs = Math.min(2 * waitMs, longestDelayMs)) {
    const remainingMs = until - performance.now();
    try {
      return await call(Math.max(1, remainingMs));
    } catch (thrown) {
      options.signal?.throwIfAborted();
      const error = toSpikeError(thrown);
      // That the last try had no time left says less than what was in the way before it.
      const isNet = error.code === 'net_peer_connection' || error.code === 'net_timeout';
      if (isNet && telling !== undefined && performance.now() >= until) throw telling;
      if (!isNet) telling = error;
      // Those who were told the same time do not all come back in the same moment.
      const pauseMs = (toldPauseMs(error) ?? 0) + waitMs * (0.5 + Math.random() / 2);
      if (!options.mayAgain(error) || performance.now() + pauseMs >= until) throw error;
      await pause(pauseMs, options.signal);
    }
  }
}

/** Rejects with the signal's own reason, which the timer would wrap. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (thrown) {
    signal?.throwIfAborted();
    throw thrown;
  }
}
