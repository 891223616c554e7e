import { createTicks, type Ticks } from './ticks.ts';

export interface ClockOptions {
  /** Milliseconds since 1970, from the highest time that was ever stored; 0 when there is none. */
  readonly highWater: number;
  /** Told of a jump of the wall clock in milliseconds, negative for one back. */
  readonly onStep: (stepMs: number) => void;
  readonly wall?: () => number;
  readonly ticks?: Ticks;
}

/** A smaller one is what a time server corrects every day. */
const stepMs = 5_000;

/**
 * The time by which sessions, delays and one-time passwords end (admin.md C3). Within a process it follows the monotonic
 * clock; a start takes the wall clock or the highest time that was stored, whichever is later. So a wall clock that is
 * set back extends nothing; every jump of over 5 s is told.
 */
export class AdminClock {
  readonly #wall: () => number;
  readonly #ticks: Ticks;
  readonly #onStep: (stepMs: number) => void;
  /** What this clock says at tick 0. */
  readonly #base: number;
  #highWater: number;
  /** How far the wall clock was ahead of this one when it was last looked at. */
  #lead: number;

  constructor({ highWater, onStep, wall = Date.now, ticks = createTicks() }: ClockOptions) {
    this.#wall = wall;
    this.#ticks = ticks;
    this.#onStep = onStep;
    const atStart = wall();
    this.#base = Math.max(atStart, highWater) - ticks();
    this.#highWater = highWater;
    this.#lead = Math.min(atStart - highWater, 0);
    if (this.#lead < -stepMs) onStep(this.#lead);
  }

  /** Milliseconds since 1970, whole; never less than it said before. */
  now(): number {
    const now = Math.floor(this.#base + this.#ticks());
    const lead = this.#wall() - now;
    const step = lead - this.#lead;
    this.#lead = lead;
    if (Math.abs(step) > stepMs) this.#onStep(Math.round(step));
    return now;
  }

  /** What the wall clock shows, or will show, at a time of this clock: for what people read. */
  toWall(time: number): number {
    return Math.round(time + this.#lead);
  }

  /** The highest time that the store has. */
  get highWater(): number {
    return this.#highWater;
  }

  /** The store has this time. */
  stored(time: number): void {
    this.#highWater = Math.max(this.#highWater, time);
  }
}
