import type { AuditFile } from '@spike/audit';
import { toRest, type FileAudit } from '../audit-port.ts';
import type { Loss } from './guard.ts';

/** Losses of our identity that the audit does not hold yet. */
export interface LossBook {
  readonly unrecorded: readonly Loss[];
  /** The audit holds all of them. */
  recorded(): void;
  /** The first one after which we did not come back yet, as far as the audit tells. */
  readonly unreturned: Loss | undefined;
  /** The audit holds that we are back. */
  returned(): void;
}

/** For tests and for parts without a past. */
export const noLosses: LossBook = {
  unrecorded: [],
  recorded: () => undefined,
  unreturned: undefined,
  returned: () => undefined,
};

export interface LossLog {
  readonly audit: Pick<AuditFile, 'append'>;
  readonly fileAudit: Pick<FileAudit, 'note'>;
  readonly losses: LossBook;
}

/** Brings them into the audit with their own times; a crash in between may enter one twice, never lose it. */
export async function recordLosses(
  { audit, fileAudit, losses }: LossLog,
  written: 'at once' | 'on return',
): Promise<void> {
  const { unrecorded } = losses;
  if (unrecorded.length === 0) return;
  const notes = unrecorded.map(({ reason, at }) => {
    const time = new Date(at).toISOString().replace('Z', '000Z');
    return toRest(fileAudit.note('identity.withdrawn', { time, reason, written }));
  });
  await Promise.all(notes.map(async (note) => await audit.append(note)));
  losses.recorded();
}

/** Identity and key are here again after this loss. A crash in between may enter it twice, never lose it. */
export async function recordReturn(
  { audit, fileAudit, losses }: LossLog,
  { reason }: Loss,
  keys: 'kept' | 'fetched',
): Promise<void> {
  await audit.append(toRest(fileAudit.note('identity.returned', { reason, keys })));
  losses.returned();
}
