import { effectiveAt, expiresAt, stateOf, type BreakglassRecord, type BreakglassState } from './record.ts';

/** What is shown of a break-glass. Times are milliseconds since 1970, of the wall clock. */
export interface BreakglassView {
  readonly id: string;
  readonly administrator: string;
  readonly reason: string;
  readonly state: BreakglassState;
  readonly openedAt: number;
  readonly effectiveAt: number;
  readonly expiresAt: number;
  readonly approvedBy: string | undefined;
  readonly ended: { readonly by: string; readonly at: number } | undefined;
}

/** The clock of sessions, and what it is for people. */
interface Clock {
  now(): number;
  toWall(time: number): number;
}

export function viewOf(record: BreakglassRecord, clock: Clock): BreakglassView {
  const { id, administrator, reason, askedWall, approval, ending } = record;
  return {
    id,
    administrator,
    reason,
    state: stateOf(record, clock.now()),
    openedAt: askedWall,
    effectiveAt: clock.toWall(effectiveAt(record)),
    expiresAt: clock.toWall(expiresAt(record)),
    approvedBy: approval?.by,
    ended: ending === undefined ? undefined : { by: ending.by, at: ending.wall },
  };
}

/** Until when lines of the audit belong to it, by the wall clock; undefined while it is not over. */
export function endOf(record: BreakglassRecord, clock: Clock): number | undefined {
  if (record.ending !== undefined) return record.ending.wall;
  return clock.now() < expiresAt(record) ? undefined : clock.toWall(expiresAt(record));
}
