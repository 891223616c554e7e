import type { AuditDraft } from '../vault/port.ts';
import { effectiveAt, expiresAt, type BreakglassRecord, type Recorded } from './record.ts';

/** Where what no request did is recorded. */
export interface Journal {
  draftNote(action: string, fields: Readonly<Record<string, string | number>>): AuditDraft;
  /** Of a record that was committed. */
  appendCommitted(draft: AuditDraft): Promise<void>;
}

/** The record of what time alone did to a break-glass, with when that was. */
export function draftOf(
  record: BreakglassRecord,
  what: Exclude<Recorded, 'asked'>,
  { journal, clock }: { readonly journal: Journal; readonly clock: { toWall(time: number): number } },
): AuditDraft {
  const at = what === 'opened' ? effectiveAt(record) : expiresAt(record);
  return journal.draftNote(`breakglass.${what}`, {
    subject: record.administrator,
    id: record.id,
    [`${what}At`]: new Date(clock.toWall(at)).toISOString(),
  });
}
