import type { Op, Row } from '@spike/store';

import type { Pending } from './batch.ts';
import { parseHead } from './head.ts';
import { hashHead } from './instance.ts';
import { outboxOps, outboxRows, type OutboxRow, type OutboxTracker } from './outbox.ts';
import type { AuditPosition, Vault } from './port.ts';
import { sealState, type State, type TableState } from './state.ts';
import type { DigestChange, TableDigest } from './table-digest.ts';

/** One try to commit a batch. */
export interface Attempt {
  readonly members: readonly Pending[];
  readonly ops: readonly Op[];
  /** For each operation the one whose it is; none for the ledger's own. */
  readonly owners: readonly (Pending | undefined)[];
  readonly state: State;
  readonly stateRow: Row;
  readonly changes: readonly { readonly digest: TableDigest; readonly change: DigestChange }[];
  readonly records: readonly OutboxRow[];
  /** How many rows whose records the file holds leave the outbox. */
  readonly removed: number;
}

/** What the last acknowledged transaction left behind. */
export interface Standing {
  readonly vault: Vault;
  readonly state: State;
  readonly digests: readonly TableDigest[];
  readonly outbox: OutboxTracker;
  readonly audit: AuditPosition;
}

/** Seals all that goes into the transaction besides the callers' own rows. */
export function prepareAttempt(members: readonly Pending[], from: Standing): Attempt {
  const revision = from.state.revision + 1;
  const memberOps = members.flatMap((pending) => pending.ops);
  const owners: (Pending | undefined)[] = members.flatMap((pending) => pending.ops.map(() => pending));
  const drafts = members.map((pending) => pending.record).filter((draft) => draft !== undefined);
  const records = outboxRows(revision, drafts);
  const outbox = outboxOps(from.vault, revision, records);
  // One read, so that size and root belong together.
  const { syncedSize: auditSize, syncedRoot } = from.audit;
  const removed = from.outbox.removable(auditSize);
  const changes = from.digests.map((digest) => ({ digest, change: digest.after(memberOps) }));
  const head = memberOps.findLast((op) => op.kind === 'head');
  const state: State = {
    ...from.state,
    revision,
    tables: withChanges(
      from.state.tables,
      changes.map(({ change }) => change.state),
    ),
    ...(head === undefined
      ? {}
      : { head: hashHead(head.bytes), keyringEpoch: parseHead(head.bytes).keyringEpoch }),
    auditSize,
    auditRoot: Uint8Array.from(syncedRoot),
    outboxFrom: Math.min(auditSize, from.outbox.firstBehind(removed.length)),
  };
  const stateRow = sealState(from.vault, state);
  const ops: Op[] = [
    ...memberOps,
    ...outbox,
    ...removed.map((key): Op => ({ kind: 'delete', table: 'outbox', key, expect: 'any' })),
    { kind: 'put', table: 'state', row: stateRow, expect: { revision: from.state.revision } },
  ];
  return { members, ops, owners, state, stateRow, changes, records, removed: removed.length };
}

/** Tables that this release doesn't know stay as they are. */
function withChanges(before: readonly TableState[], now: readonly TableState[]): TableState[] {
  const known = new Set(now.map((entry) => entry.table));
  return [...before.filter((entry) => !known.has(entry.table)), ...now];
}
