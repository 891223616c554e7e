import type { AuditFile } from './file.ts';
import type { SegmentFacts } from './log.ts';

export interface RetentionOptions {
  /** Lines that are older are given up, in milliseconds; undefined keeps them. */
  readonly keepMs?: number;
  /** The oldest lines are given up while all together have more bytes; undefined keeps them. */
  readonly keepBytes?: number;
  /** Lines from here on are needed, such as those that the outbox has not let go of. */
  readonly neededFrom: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Retained {
  /** Files whose lines were given up. */
  readonly sealed: readonly { readonly from: number; readonly to: number; readonly bytes: number }[];
  /** One whose lines are not those that were written. It and all behind it stay. */
  readonly refused: number | undefined;
}

/** Gives up old files of lines, whole ones and the oldest first; their hashes stay. */
export async function retain(
  file: AuditFile,
  options: RetentionOptions,
  signal: AbortSignal,
): Promise<Retained> {
  const sealed: { from: number; to: number; bytes: number }[] = [];
  let total = file.bytes;
  for (const segment of file.closedSegments()) {
    const { from, to, bytes } = segment;
    const tooMuch = options.keepBytes !== undefined && total > options.keepBytes;
    if (to > options.neededFrom || !(tooMuch || (await isTooOld(segment, options)))) break;
    if (!(await file.seal(from, signal))) return { sealed, refused: from };
    sealed.push({ from, to, bytes });
    total -= bytes;
  }
  return { sealed, refused: undefined };
}

async function isTooOld(segment: SegmentFacts, { keepMs, now }: RetentionOptions): Promise<boolean> {
  if (keepMs === undefined) return false;
  const time = timeOf(await segment.lastLine());
  // A line without a time is of no age.
  return time !== undefined && now - time > keepMs;
}

/** When a line was written, in milliseconds since 1970. */
export function timeOf(line: string | undefined): number | undefined {
  const text = /"time":"([^"]+)"/u.exec(line ?? '')?.[1];
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
