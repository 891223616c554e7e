import { hour } from '../../admin/testing/stage.ts';

/** One break-glass. */
export interface Glass {
  readonly of: string;
  readonly asked: number;
  readonly ttlMs: number;
  approved: number | undefined;
  ended: 'cancelled' | 'closed' | undefined;
}

/** Then a break-glass opens that nobody has cancelled. */
export const breakglassDelayMs = 4 * hour;

export function stateOf({ asked, approved, ended, ttlMs }: Glass, now: number): string {
  if (ended !== undefined) return ended;
  const begins = approved ?? asked + breakglassDelayMs;
  if (now >= begins + ttlMs) return 'over';
  return now >= begins ? 'open' : 'waiting';
}

export function isLive(glass: Glass, now: number): boolean {
  return ['waiting', 'open'].includes(stateOf(glass, now));
}
