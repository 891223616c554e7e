import { setTimeout as wait } from 'node:timers/promises';
import { SpiffeError } from '../error.ts';
import { toAbortError, TooManyPings } from '../grpc/client.ts';
import type { Probe } from '../grpc/keepalive.ts';
import { growBackoff, pickBetween, type WorkloadTiming } from './timing.ts';

/**
 * What happens while one watches the Workload API. `discarded` is a message that breaks the rules, after which the
 * state of the last good one goes on (C-8); `denied` and `lost` are followed by further attempts.
 */
export type WatchEvent<T> =
  | { readonly kind: 'received'; readonly value: T }
  | { readonly kind: 'discarded'; readonly error: SpiffeError }
  | { readonly kind: 'denied'; readonly error: SpiffeError }
  | { readonly kind: 'lost'; readonly error: SpiffeError };

/** Streams that end in less time than this are not opened again at once: a server may be ending each of them. */
const calmMs = 1000;

/**
 * Keeps a stream open for ever: opens it again at once when it is closed (C-6), after a while when we are refused or
 * nobody answers (C-5). Throws when asking again makes no sense (C-4), and `aborted` or `deadline_exceeded` by the
 * signal.
 */
export async function* watchStream<T>(
  open: (probe: Probe) => AsyncIterable<Uint8Array>,
  decode: (message: Uint8Array) => T,
  timing: WorkloadTiming,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, never, undefined> {
  let probe: Probe = 'ping';
  let backoff = growBackoff(timing);
  let openedAtOnce = -calmMs;
  let isServed = false;
  for (;;) {
    let answered = false;
    let failure: SpiffeError | undefined;
    try {
      for await (const message of open(probe)) {
        const event = readMessage(message, decode);
        answered ||= event.kind === 'received';
        isServed ||= answered;
        yield event;
      }
    } catch (error) {
      failure = toFailure(error);
    }
    if (signal.aborted) throw toAbortError(signal);
    if (failure?.code === 'invalid_argument' || failure?.code === 'unimplemented') throw failure;

    if (failure instanceof TooManyPings && probe === 'ping') {
      probe = 'settings';
      continue;
    }
    if (answered) backoff = growBackoff(timing);
    if (failure?.code === 'permission_denied') {
      yield { kind: 'denied', error: failure };
      backoff = growBackoff(timing);
      const { deniedLeastMs, deniedMostMs } = timing;
      const [leastMs, mostMs] = isServed
        ? [deniedLeastMs / 5, deniedLeastMs / 2.5]
        : [deniedLeastMs, deniedMostMs];
      isServed = false;
      await pause(pickBetween(leastMs, mostMs), signal);
      continue;
    }
    if (failure !== undefined) yield { kind: 'lost', error: failure };
    const now = performance.now();
    if (answered && now - openedAtOnce >= calmMs) openedAtOnce = now;
    else await pause(backoff.next().value, signal);
  }
}

function readMessage<T>(message: Uint8Array, decode: (message: Uint8Array) => T): WatchEvent<T> {
  try {
    return { kind: 'received', value: decode(message) };
  } catch (error) {
    return { kind: 'discarded', error: toFailure(error) };
  }
}

function toFailure(error: unknown): SpiffeError {
  if (error instanceof SpiffeError) return error;
  return new SpiffeError('internal', 'the answer of the Workload API could not be handled', { cause: error });
}

async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(durationMs, undefined, { signal });
  } catch {
    throw toAbortError(signal);
  }
}
