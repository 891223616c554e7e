import type { Paint } from '../output/color.ts';
import { toPrintableLine } from '../output/text.ts';

/** `bad` makes the exit code; `note` is to be known; `skipped` could not be looked at. */
export type Outcome = 'ok' | 'note' | 'bad' | 'skipped';

/** What one look at the machine or the system has shown. */
export interface Finding {
  /** Two words at most. */
  readonly check: string;
  readonly outcome: Outcome;
  readonly says: string;
  /** How to mend it; every finding that is not ok has one. */
  readonly mend?: string;
}

const colors = { ok: 'green', note: 'yellow', bad: 'red', skipped: 'dim' } as const;

export function formatFindings(findings: readonly Finding[], paint: Paint): string {
  return findings
    .map(({ check, outcome, says, mend }) => {
      const line = `${paint(colors[outcome], outcome.padEnd(8))} ${check.padEnd(16)} ${toPrintableLine(says)}\n`;
      return mend === undefined ? line : `${line}${' '.repeat(26)}${toPrintableLine(mend)}\n`;
    })
    .join('');
}
