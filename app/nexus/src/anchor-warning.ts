import type { AlertPort } from './alert/port.ts';
import type { HistoryPort } from './history/port.ts';
import type { Anchor } from './vault/anchor.ts';
import type { AnchorFile } from './vault/anchor-file.ts';
import type { readNotes } from './vault/anchor-note.ts';
import type { OpenInstance } from './vault/instance.ts';
import type { GroupLedger } from './vault/ledger.ts';

/** What the ceremony leaves: nobody can have written an anchor of it before. */
const newStoreRevision = 1;

/** Answers what a person has to know of the anchors that the store was compared with. */
export function tellOfAnchors(
  ledger: Pick<GroupLedger, 'revision' | 'invalidAnchors'>,
  noted: ReturnType<typeof readNotes>,
  {
    anchorFile,
    alerts,
  }: { readonly anchorFile: Pick<AnchorFile, 'found'> | undefined; readonly alerts: AlertPort },
): readonly string[] {
  const warnings: string[] = [];
  if (anchorFile?.found.kind === 'absent' && ledger.revision > newStoreRevision)
    warnings.push(
      noted.anchor === undefined
        ? 'there is no anchor file, so an older store would not be noticed; it is written anew'
        : 'there is no anchor file, the store was compared with the note of the Keepers; it is written anew',
    );
  for (const keeper of noted.refused) {
    const message = `Keeper ${keeper} gave back a note that Nexus did not leave there; it is ignored`;
    warnings.push(message);
    alerts.raise({ kind: 'keeper_bad_share', subject: String(keeper), message });
  }
  if (anchorFile?.found.kind === 'damaged')
    warnings.push('the anchor file cannot be read; it is written anew');
  if (ledger.invalidAnchors > 0) {
    const message = 'the anchor file does not verify; it is written anew';
    warnings.push(message);
    alerts.raise({ kind: 'store_integrity', subject: 'anchor', message });
  }
  return warnings;
}

/** A store that is older than a valid anchor is opened for one reason only: a person has accepted it. */
export function noteRollback(
  instance: OpenInstance,
  ledger: Pick<GroupLedger, 'revision'>,
  anchors: readonly Anchor[],
  { history }: { readonly history: HistoryPort },
): void {
  const newest = Math.max(
    0,
    ...anchors.filter((anchor) => instance.anchors.verify(anchor)).map(({ revision }) => revision),
  );
  if (newest > ledger.revision)
    history.note('accepted_rollback', { revision: ledger.revision, anchor: newest });
}
