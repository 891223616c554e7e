import fc from 'fast-check';
import { toSealed } from './seal.ts';
import type { CommitResult, Expect, Op, Row, Table } from './store.ts';

/** What a store should hold, kept the slow and obvious way. */
export type Model = Map<string, { readonly table: Table | 'head'; readonly row: Row }>;

export function opArbitrary(): fc.Arbitrary<Op> {
  const table = fc.constantFrom<Table>('secret', 'policy');
  const key = fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 });
  const revision = fc.integer({ min: 0, max: 3 });
  const expect = fc.oneof(fc.constant<Expect>('any'), fc.constant<Expect>('absent'), fc.record({ revision }));
  const body = fc.uint8Array({ maxLength: 40 }).map((bytes) => toSealed(bytes));
  const row = fc
    .record({ key, revision, body })
    .map((part): Row => ({ ...part, format: 1, suite: 2, term: 3, version: 4, field: 5, nonce: part.key }));
  return fc.oneof(
    fc.record({ kind: fc.constant('put' as const), table, row, expect }),
    fc.record({ kind: fc.constant('delete' as const), table, key, expect }),
    fc.record({ kind: fc.constant('head' as const), bytes: key, revision, expect }),
  );
}

export function applyToModel(model: Model, ops: readonly Op[]): CommitResult {
  const draft: Model = new Map(model);
  for (const [index, op] of ops.entries()) {
    const table = op.kind === 'head' ? 'head' : op.table;
    const key = op.kind === 'put' ? op.row.key : op.kind === 'delete' ? op.key : new Uint8Array();
    const place = `${table} ${Buffer.from(key).toString('hex')}`;
    const found = draft.get(place)?.row.revision;
    if (op.expect === 'absent' && found !== undefined) return { ok: false, conflict: index };
    if (typeof op.expect === 'object' && found !== op.expect.revision) return { ok: false, conflict: index };
    if (op.kind === 'delete') draft.delete(place);
    else draft.set(place, { table, row: op.kind === 'put' ? op.row : headRow(op.revision) });
  }
  model.clear();
  for (const [place, value] of draft) model.set(place, value);
  return { ok: true };
}

export function readModel(model: Model, table: Table): Row[] {
  const rows = [...model.values()].filter((value) => value.table === table).map((value) => value.row);
  return rows.sort((left, right) => Buffer.compare(left.key, right.key));
}

function headRow(revision: number): Row {
  const none = new Uint8Array();
  return {
    key: none,
    format: 0,
    suite: 0,
    term: 0,
    revision,
    version: 0,
    field: 0,
    nonce: none,
    body: toSealed(none),
  };
}
