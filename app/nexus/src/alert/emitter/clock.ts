import type { AlertPort } from '../port.ts';

export interface ClockWatchOptions {
  readonly alerts: AlertPort;
  /** Milliseconds since 1970, as somebody sets it. */
  readonly wall?: () => number;
  /** Milliseconds since any moment, which nobody sets. */
  readonly monotonic?: () => number;
}

const stepMs = 5_000;
/** As fast as a time service slews a clock (500 ppm, adjtimex(2)): what goes faster is set, be it in small steps. */
const slew = 500e-6;

/**
 * Compares the clock of the wall with the monotonic one. `look` is to be called about once a second. A machine that slept
 * shows as a step as well, since CLOCK_MONOTONIC sleeps with it.
 */
export class ClockWatch {
  readonly #alerts: AlertPort;
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #lookedAt: number;
  #offset: number;

  constructor({ alerts, wall = Date.now, monotonic = () => performance.now() }: ClockWatchOptions) {
    this.#alerts = alerts;
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#lookedAt = monotonic();
    this.#offset = wall() - this.#lookedAt;
  }

  look(): void {
    const at = this.#monotonic();
    const offset = this.#wall() - at;
    const slewed = (at - this.#lookedAt) * slew;
    this.#lookedAt = at;
    const step = offset - this.#offset;
    if (Math.abs(step) <= stepMs) {
      this.#offset += Math.max(-slewed, Math.min(slewed, step));
      return;
    }
    this.#offset = offset;
    const seconds = Math.round(step / 1000);
    this.#alerts.raise({
      kind: 'clock_step',
      // As whoever minds the clock of the sessions says it, so that both are one alert.
      subject: seconds > 0 ? 'forward' : 'back',
      message: `the clock was set ${seconds > 0 ? 'forward' : 'back'} by ${Math.abs(seconds)} s, or the machine slept`,
      detail: { seconds },
    });
  }
}
