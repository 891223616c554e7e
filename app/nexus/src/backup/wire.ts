import type { NexusTable, OutputOf } from '@spike/contract';
import type { BackupReport } from './check.ts';

/** A report as it goes over the wire. `running` is the Nexus that answers, where one does. */
export function toReport(
  { header, counts, opened, isWhole, digest, ...names }: BackupReport,
  running: { readonly instance: string; readonly revision: number } | undefined,
): NonNullable<OutputOf<NexusTable['feedBackup']>['report']> {
  const { instance, createdAt, release, revision, recoverable } = header;
  return {
    digest,
    instance,
    createdAt: toTime(createdAt),
    release,
    revision,
    recoverable,
    ...(instance === running?.instance ? { behind: Math.max(0, running.revision - revision) } : {}),
    rows: Object.fromEntries(counts.map(({ table, rows }) => [table, rows])),
    opened,
    whole: isWhole,
    problems: [...names.problems],
    policies: [...names.policies],
    administrators: names.administrators.map(({ name, isDisabled }) => ({ name, disabled: isDisabled })),
    deniedIds: [...names.denials],
  };
}

/** A backup's times come from whoever made it: one that no date has must not end a request. */
export function toTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}
