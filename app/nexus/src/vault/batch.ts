import type { Expect, Op, Row } from '@spike/store';

import type { AuditDraft } from './port.ts';
import { rowId } from './row-reader.ts';

/** One caller of the ledger who waits. */
export interface Pending {
  readonly ops: readonly Op[];
  readonly record: AuditDraft | undefined;
  readonly check: (() => void) | undefined;
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

export interface Admission {
  /** What goes into the transaction. */
  readonly members: readonly Pending[];
  /** Whose expectation is known not to hold, without asking the store. */
  readonly conflicts: readonly Pending[];
  /** Whose expectation an earlier one of the members breaks if that is committed: tried after it. */
  readonly deferred: readonly Pending[];
}

const most = { callers: 512, ops: 4000, bytes: 16 * 1024 * 1024 } as const;

export function sizeOf(ops: readonly Op[]): number {
  return ops.reduce((sum, op) => {
    if (op.kind === 'put') return sum + op.row.key.byteLength + op.row.body.byteLength;
    return sum + (op.kind === 'head' ? op.bytes.byteLength : op.key.byteLength);
  }, 0);
}

/** Takes from the front of the queue what makes one transaction; one at least, where there is one. */
export function takeBatch(queue: Pending[]): Pending[] {
  let ops = 0;
  let bytes = 0;
  let count = 0;
  for (const pending of queue) {
    ops += pending.ops.length;
    bytes += pending.bytes;
    if (count > 0 && (count >= most.callers || ops > most.ops || bytes > most.bytes)) break;
    count++;
  }
  return queue.splice(0, count);
}

/**
 * Sorts out callers whose expectations can't hold, so that many writers of one key don't cost one refused transaction
 * each. The store still checks every expectation: what is admitted here may conflict there.
 */
export function admit(batch: readonly Pending[], known: (id: string) => Row | undefined): Admission {
  const members: Pending[] = [];
  const conflicts: Pending[] = [];
  const deferred: Pending[] = [];
  /** Revision that the members so far leave behind, `undefined` for nothing. */
  const written = new Map<string, number | undefined>();
  for (const pending of batch) {
    const own = new Map<string, number | undefined>();
    let verdict = members;
    for (const op of pending.ops) {
      const id = idOf(op);
      const revision = op.kind === 'put' ? op.row.revision : op.kind === 'head' ? op.revision : undefined;
      if (!own.has(id)) {
        if (written.has(id)) {
          if (verdict === members && !holds(op.expect, written.get(id))) verdict = deferred;
        } else {
          const row = known(id);
          if (row !== undefined && !holds(op.expect, row.revision)) verdict = conflicts;
        }
      }
      own.set(id, revision);
    }
    verdict.push(pending);
    if (verdict === members) for (const [id, revision] of own) written.set(id, revision);
  }
  return { members, conflicts, deferred };
}

function idOf(op: Op): string {
  if (op.kind === 'head') return 'head';
  return rowId(op.table, op.kind === 'put' ? op.row.key : op.key);
}

function holds(expect: Expect, revision: number | undefined): boolean {
  if (expect === 'any') return true;
  return expect === 'absent' ? revision === undefined : revision === expect.revision;
}
