import { SpikeError } from '@spike/error';
import { Headlined } from '../output/headline.ts';
import type { Report } from './send.ts';
import type { Outline } from './source.ts';

/** A backup that was read, and is not what one should rely on. */
export class BackupProblem extends Headlined {
  /** No problems: its records could not be looked at. */
  constructor(path: string, problems: readonly string[]) {
    const [first] = problems;
    super(
      first === undefined ? 'the records of the backup were not opened' : 'the backup is not whole',
      new SpikeError(
        first === undefined ? 'state_not_ready' : 'crypto_decryption_failed',
        first === undefined
          ? `${path}: run this where a Nexus of its instance runs, or say --offline when the rest is enough`
          : `${path}: ${first}${problems.length > 1 ? `, and ${problems.length - 1} more` : ''}; use another backup`,
      ),
    );
  }
}

/** What was found, by whoever opened the records, and that these were the records of what was checked here. */
export function problemsOf(
  report: Report,
  { digest, counts }: Pick<Outline, 'digest' | 'counts'>,
): readonly string[] {
  const rows = counts.reduce((sum, count) => sum + count.rows, 0);
  const isSame = report.digest === digest;
  const isAll = report.opened === rows || report.problems.length > 0;
  return [
    ...report.problems,
    ...(isSame ? [] : ['another content was opened than was checked before: the file was changed meanwhile']),
    ...(isSame && !isAll ? [`${report.opened} of ${rows} records were opened`] : []),
    ...(report.whole || report.problems.length > 0 ? [] : ['nobody vouches for it being whole']),
  ];
}
