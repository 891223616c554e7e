import { damaged, decodeRecord, encodeRecord, isRecord, readNumber, readText } from '../service/record.ts';

/** Who ended a break-glass before its time, and how. */
export interface Ending {
  readonly kind: 'cancelled' | 'closed';
  readonly by: string;
  /** Of the clock of sessions. */
  readonly at: number;
  /** Milliseconds since 1970, of the wall clock of then. */
  readonly wall: number;
}

export type Recorded = 'asked' | 'opened' | 'expired';

/** One break-glass as it is stored, sealed. Times are of the clock of sessions, unless they say `wall`. */
export interface BreakglassRecord {
  readonly id: string;
  /** The emergency_admin whom it is for. */
  readonly administrator: string;
  readonly reason: string;
  /** For how long it is open. */
  readonly ttlMs: number;
  /** For how long it waits for an approval; kept with it, so that a changed setting changes nothing that waits. */
  readonly delayMs: number;
  readonly askedAt: number;
  readonly askedWall: number;
  readonly approval: { readonly by: string; readonly at: number } | undefined;
  readonly ending: Ending | undefined;
  /** What happened to it last that the audit has a record of; that it was asked for says nothing here. */
  readonly recorded: Recorded;
  /** Lines that the audit had before: what was done in it comes behind them. */
  readonly auditSize: number;
}

export type BreakglassState = 'waiting' | 'open' | 'cancelled' | 'closed' | 'over';

/** From when on it gives access, unless it is ended before. */
export function effectiveAt({ approval, askedAt, delayMs }: BreakglassRecord): number {
  return approval?.at ?? askedAt + delayMs;
}

export function expiresAt(record: BreakglassRecord): number {
  return effectiveAt(record) + record.ttlMs;
}

export function stateOf(record: BreakglassRecord, now: number): BreakglassState {
  if (record.ending !== undefined) return record.ending.kind;
  if (now >= expiresAt(record)) return 'over';
  return now >= effectiveAt(record) ? 'open' : 'waiting';
}

/** What happened to it by time alone and is not recorded yet: no request does it, so none records it. */
export function findUnrecorded(
  record: BreakglassRecord,
  now: number,
): Exclude<Recorded, 'asked'> | undefined {
  const { recorded, ending } = record;
  if (recorded === 'asked' && effectiveAt(record) <= Math.min(now, ending?.at ?? now)) return 'opened';
  return recorded === 'opened' && stateOf(record, now) === 'over' ? 'expired' : undefined;
}

/** Whether something can still come of it. */
export function isLive(record: BreakglassRecord, now: number): boolean {
  const state = stateOf(record, now);
  return state === 'waiting' || state === 'open';
}

export function encodeBreakglass({ approval, ending, ...rest }: BreakglassRecord): Uint8Array {
  return encodeRecord({
    ...rest,
    ...(approval === undefined ? {} : { approval }),
    ...(ending === undefined ? {} : { ending }),
  });
}

/** Throws SpikeError `store_integrity`. */
export function decodeBreakglass(bytes: Uint8Array): BreakglassRecord {
  const record = decodeRecord(bytes);
  const { approval, ending } = record;
  return {
    id: readText(record, 'id'),
    administrator: readText(record, 'administrator'),
    reason: readText(record, 'reason'),
    ttlMs: readNumber(record, 'ttlMs'),
    delayMs: readNumber(record, 'delayMs'),
    askedAt: readNumber(record, 'askedAt'),
    askedWall: readNumber(record, 'askedWall'),
    approval: isRecord(approval)
      ? { by: readText(approval, 'by'), at: readNumber(approval, 'at') }
      : undefined,
    ending: isRecord(ending) ? readEnding(ending) : undefined,
    recorded: readRecorded(readText(record, 'recorded')),
    auditSize: readNumber(record, 'auditSize'),
  };
}

function readRecorded(text: string): Recorded {
  if (text === 'asked' || text === 'opened' || text === 'expired') return text;
  throw damaged('a break-glass is recorded in no way that is known');
}

function readEnding(ending: Readonly<Record<string, unknown>>): Ending {
  const { kind } = ending;
  if (kind !== 'cancelled' && kind !== 'closed') throw damaged('a break-glass ended in no way that is known');
  return { kind, by: readText(ending, 'by'), at: readNumber(ending, 'at'), wall: readNumber(ending, 'wall') };
}
