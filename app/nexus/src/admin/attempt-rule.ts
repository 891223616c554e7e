/** Times are milliseconds of a clock that never goes back. */
export interface AttemptRecord {
  /** Of failures that still count, oldest first; at most `mostFailures`. */
  readonly failures: readonly number[];
  /** Nothing is admitted before. */
  readonly until: number;
  /** It ends a lockout, not a mere delay. */
  readonly locked: boolean;
}

export interface AttemptRules {
  /** So many failures of a pair within the window lock it. */
  readonly mostFailures: number;
  readonly windowMs: number;
  readonly lockMs: number;
  /** Of the administrator alone. */
  readonly longestDelayMs: number;
}

export const defaultRules: AttemptRules = {
  mostFailures: 5,
  windowMs: 15 * 60_000,
  lockMs: 15 * 60_000,
  longestDelayMs: 30_000,
};

export const noAttempts: AttemptRecord = { failures: [], until: 0, locked: false };

/** A slip of the hand costs nothing; then 1 s, 2 s, 4 s and so on. */
export function delayAfter(failures: number, longestMs: number): number {
  return failures < 2 ? 0 : Math.min(1_000 * 2 ** (failures - 2), longestMs);
}

/** After one more failure of the pair of administrator and SPIFFE ID. */
export function failPair(record: AttemptRecord, now: number, rules: AttemptRules): AttemptRecord {
  const failures = [...recent(record, now, rules), now];
  if (failures.length >= rules.mostFailures) return { failures: [], until: now + rules.lockMs, locked: true };
  return { failures, until: now + delayAfter(failures.length, rules.lockMs), locked: false };
}

/** After one more failure for the administrator, from wherever: a delay and never a lock, so that nobody locks out others. */
export function failAlone(record: AttemptRecord, now: number, rules: AttemptRules): AttemptRecord {
  const failures = [...recent(record, now, rules), now].slice(-mostKept);
  return { failures, until: now + delayAfter(failures.length, rules.longestDelayMs), locked: false };
}

/** Nothing of it counts any more. */
export function isStale(record: AttemptRecord, now: number, rules: AttemptRules): boolean {
  return record.until <= now && recent(record, now, rules).length === 0;
}

/** As many as the longest delay needs. */
const mostKept = 8;

function recent({ failures }: AttemptRecord, now: number, { windowMs }: AttemptRules): readonly number[] {
  return failures.filter((at) => at > now - windowMs);
}
