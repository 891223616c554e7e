import { uptime } from 'node:os';

/** Milliseconds that only go forward, whatever the wall clock does. */
export type Ticks = () => number;

/** What two readings may differ by without a sleep in between: the kernel tells its uptime in hundredths of a second. */
const jitterMs = 1_000;

/**
 * The monotonic clock, with the time in which the machine slept: that one stands still meanwhile, and a session must
 * not outlive the night in which a laptop was closed.
 */
export function createTicks(
  steady: () => number = () => performance.now(),
  sinceBootMs: () => number = () => uptime() * 1_000,
): Ticks {
  let offset = sinceBootMs() - steady();
  let sleptMs = 0;
  return () => {
    const now = steady();
    const seen = sinceBootMs() - now;
    if (seen - offset > jitterMs) {
      sleptMs += seen - offset;
      offset = seen;
    }
    return now + sleptMs;
  };
}
