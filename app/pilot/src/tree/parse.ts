import { parseDuration } from '@spike/config';
import { InvalidArgumentError } from 'commander';

const mostVersions = 1000;

export function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('it is a whole number.');
}

/** `1,2`, with blanks around the numbers or not. */
export function parseCounts(text: string): readonly number[] {
  const counts = text.split(',').map((part) => parseCount(part.trim()));
  if (counts.length <= mostVersions) return counts;
  throw new InvalidArgumentError(`it lists at most ${mostVersions} numbers.`);
}

/** Whole seconds of a duration such as `1h`. */
export function parseSeconds(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 1_000 && ms % 1_000 === 0) return ms / 1_000;
  throw new InvalidArgumentError('a duration is written as 30s, 90m or 1h, in whole seconds.');
}

/** For an option that may be given several times. */
export function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}

const dayMs = 86_400_000;

/** When something ends, as Nexus takes it: a time, or a while from now by its own clock. */
export type End = { readonly until: string } | { readonly seconds: number };

/** `12h`, `7d` or a time such as `2026-05-01T12:00:00Z`, which has to be to come. */
export function parseEnd(text: string): End {
  const [, days] = /^(\d{1,3})d$/u.exec(text) ?? [];
  const ms = days === undefined ? parseDuration(text) : Number(days) * dayMs;
  if (ms !== undefined && ms >= 1_000 && ms % 1_000 === 0) return { seconds: ms / 1_000 };
  // A date alone would be its first moment, which few mean.
  const time = /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:\d\d)$/u.test(text) ? Date.parse(text) : Number.NaN;
  if (time > Date.now()) return { until: new Date(time).toISOString() };
  if (!Number.isNaN(time)) throw new InvalidArgumentError('this time is over.');
  throw new InvalidArgumentError(
    'an end is written as 30m, 12h or 7d from now, or as 2026-05-01T12:00:00Z with hours and a time zone.',
  );
}
