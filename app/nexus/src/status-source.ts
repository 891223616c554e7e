import type { LayerOverview } from './admin/layer.ts';
import type { Severity } from './alert/kind.ts';

/** The second layer, as far as it is known; times are milliseconds since 1970. */
export interface AdministrationFacts {
  readonly mode: 'password' | 'svid';
  /** Undefined while the key is not here: nobody can tell. */
  readonly initialized?: boolean;
  readonly initializedAt?: number;
  /** Name of the first administrator. */
  readonly initializedBy?: string;
  readonly sessions?: number;
  readonly nextExpiry?: number;
  /** Administrators who are bound to an ID that others share. */
  readonly weaklyBound?: readonly string[];
}

/** What the second layer says of itself; undefined where there is none, or no key. */
export function describeAccess(
  mode: 'password' | 'svid',
  layer: LayerOverview | undefined,
): AdministrationFacts {
  if (layer === undefined) return { mode };
  const { initialised, sessions, nextExpiry, weaklyBound } = layer;
  return {
    mode,
    initialized: initialised !== undefined,
    ...(initialised === undefined ? {} : { initializedAt: initialised.at, initializedBy: initialised.by }),
    sessions,
    ...(nextExpiry === undefined ? {} : { nextExpiry }),
    weaklyBound,
  };
}

/** When what people have to do now and then was done last, in milliseconds since 1970; undefined for never. */
export interface DoneFacts {
  readonly backupVerifiedAt?: number | undefined;
  readonly resetTestedAt?: number | undefined;
  readonly accessReviewedAt?: number | undefined;
}

/**
 * What other parts know of the state. Each is plugged in by its part; one that is not there is not shown. They are asked
 * for each status, so they answer from memory.
 */
export interface StatusSources {
  readonly administration: () => AdministrationFacts;
  readonly done: () => DoneFacts | Promise<DoneFacts>;
  readonly alerts: () => Readonly<Record<Severity, number>>;
  /** What is wrong now, beside what the status finds by itself. */
  readonly problems: () => readonly string[];
  readonly warnings: () => readonly string[];
}

const dayMs = 86_400_000;
const dueDays = 90;

/** What was not done for 90 days; before it was ever done they are counted from `since`. */
export function findOverdue(done: DoneFacts, since: number | undefined, now: number): readonly string[] {
  const duties = [
    ['backupVerifiedAt', 'no backup was verified', 'run `spike backup verify`'],
    ['resetTestedAt', 'the factory reset was not rehearsed', 'run `spike reset --dry-run`'],
    ['accessReviewedAt', 'nobody reviewed who reads what', 'run `spike audit review`'],
  ] as const;
  return duties.flatMap(([name, what, todo]) => {
    const from = done[name] ?? since;
    if (from === undefined || now - from < dueDays * dayMs) return [];
    return [`${what} for ${Math.floor((now - from) / dayMs)} days; ${todo}`];
  });
}
