/** Every wait of a Workload API client, in milliseconds. */
export interface WorkloadTiming {
  /** How often the connection is asked for a sign of life, and after how much silence it counts as dead. */
  readonly pingMs: number;
  readonly silenceMs: number;
  /** After PermissionDenied it asks again at a random moment between the two. */
  readonly deniedLeastMs: number;
  readonly deniedMostMs: number;
  /** While nobody answers: the first wait, which doubles up to the last. */
  readonly backoffLeastMs: number;
  readonly backoffMostMs: number;
}

export const defaultWorkloadTiming: WorkloadTiming = {
  pingMs: 2000,
  silenceMs: 10_000,
  deniedLeastMs: 500,
  deniedMostMs: 1000,
  backoffLeastMs: 100,
  backoffMostMs: 5000,
};

/** The waits between attempts at a server that does not answer, each shortened at random so that clients spread out. */
export function* growBackoff(
  timing: Pick<WorkloadTiming, 'backoffLeastMs' | 'backoffMostMs'>,
): Generator<number, never> {
  let waitMs = timing.backoffLeastMs;
  for (;;) {
    yield pickBetween(waitMs / 2, waitMs);
    waitMs = Math.min(waitMs * 2, timing.backoffMostMs);
  }
}

export function pickBetween(leastMs: number, mostMs: number): number {
  return leastMs + Math.random() * (mostMs - leastMs);
}
