/** Every wait of a Workload API client, in milliseconds. */
export interface WorkloadTiming {
  /** How often the connection is asked for a sign of life, and after how much silence it counts as dead. */
  readonly pingMs: number;
  readonly silenceMs: number;
  /**
   * After PermissionDenied it asks again at a random moment between the two; where it had an answer before, first after
   * a fifth of the least to two fifths: SPIRE refuses now and then by mistake.
   */
  readonly deniedLeastMs: number;
  readonly deniedMostMs: number;
  /**
   * While nobody answers: the first wait, which doubles up to the last. That is short, since an agent is on this machine
   * and who waits for it serves nobody.
   */
  readonly backoffLeastMs: number;
  readonly backoffMostMs: number;
}

export const defaultWorkloadTiming: WorkloadTiming = {
  pingMs: 2000,
  silenceMs: 10_000,
  deniedLeastMs: 500,
  deniedMostMs: 1000,
  backoffLeastMs: 100,
  backoffMostMs: 1000,
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
