import { encodeFields, FieldReader, integerBytes } from '@spike/crypto';
import type { Op, Row, Store } from '@spike/store';

import { broken, trusted } from './integrity.ts';
import type { AuditDraft, Vault } from './port.ts';

/** One row of the outbox: the records of one transaction, or a part of them where they are many. */
export interface OutboxRow {
  readonly key: Uint8Array;
  readonly drafts: readonly AuditDraft[];
}

/** Of one row, as far as the audit file holds its records. */
interface Standing {
  readonly key: Uint8Array;
  /** How many the file does not hold. */
  missing: number;
  /** Lowest and highest place of those that it holds. */
  first: number;
  last: number;
}

/** Which rows lie in the outbox, and of which of them the audit file holds all records. */
export class OutboxTracker {
  readonly #byTrail = new Map<string, Standing[]>();
  /** Of which the file holds some records and not all. */
  readonly #begun = new Set<Standing>();
  /** Of which it holds all, about in the order of their places. */
  readonly #held: Standing[] = [];

  add(key: Uint8Array, trails: readonly string[]): void {
    const row = { key, missing: trails.length, first: Infinity, last: 0 };
    for (const trail of trails) {
      const rows = this.#byTrail.get(trail);
      if (rows === undefined) this.#byTrail.set(trail, [row]);
      else rows.push(row);
    }
  }

  /** The file holds this record, at this place. Trails that are not in the outbox are those of reads. */
  hold(trail: string, sequence: number): void {
    const rows = this.#byTrail.get(trail);
    if (rows === undefined) return;
    this.#byTrail.delete(trail);
    for (const row of rows) {
      row.missing -= 1;
      row.first = Math.min(row.first, sequence);
      row.last = Math.max(row.last, sequence);
      if (row.missing > 0) {
        this.#begun.add(row);
      } else {
        this.#begun.delete(row);
        this.#held.push(row);
      }
    }
  }

  /** Whether this record is here and not in the file. */
  owes(trail: string): boolean {
    return this.#byTrail.has(trail);
  }

  /** Keys of rows whose records all lie in the first `syncedSize` places of the file: the next to leave the outbox. */
  removable(syncedSize: number): readonly Uint8Array[] {
    const next = this.#held.slice(0, mostRemoved);
    const unsynced = next.findIndex((row) => row.last >= syncedSize);
    return (unsynced < 0 ? next : next.slice(0, unsynced)).map(({ key }) => key);
  }

  /** The lowest place of the records that are left when the first so many rows are gone; Infinity for none. */
  firstBehind(count: number): number {
    let lowest = Infinity;
    for (const row of this.#begun) lowest = Math.min(lowest, row.first);
    for (let i = count; i < this.#held.length; i++) {
      lowest = Math.min(lowest, this.#held[i]?.first ?? Infinity);
    }
    return lowest;
  }

  /** The first so many that were removable are gone. */
  remove(count: number): void {
    this.#held.splice(0, count);
  }
}

const mostRemoved = 1000;
const label = 'spike/outbox';
/** 1 had one record in each row, which no release wrote. */
const format = 2;
const pageRows = 100;
/** In characters; a record is at most a few kilobytes in practice. */
const longest = { trail: 256, record: 1024 * 1024 } as const;
/** Records of one row, in characters, from which on there is another. */
const fullRow = 256 * 1024;
const mostRecords = 4096;

/** The records of one transaction, in as few rows as they fit. Keys are its number and a place, so that they list in order. */
export function outboxRows(revision: number, drafts: readonly AuditDraft[]): readonly OutboxRow[] {
  const groups: AuditDraft[][] = [];
  let size = Infinity;
  for (const draft of drafts) {
    if (size >= fullRow) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(draft);
    size += draft.record.length;
  }
  return groups.map((group, place) => {
    const key = new Uint8Array(12);
    key.set(integerBytes(revision));
    new DataView(key.buffer).setUint32(8, place);
    return { key, drafts: group };
  });
}

export function outboxOps(vault: Vault, revision: number, rows: readonly OutboxRow[]): Op[] {
  return rows.map(({ key, drafts }) => {
    const fields = drafts.flatMap(({ trail, record }) => [trail, record]);
    const text = encodeFields(label, format, drafts.length, ...fields);
    const row = vault.seal('outbox', key, { revision, version: 0, field: 0 }, text);
    return { kind: 'put', table: 'outbox', row, expect: 'absent' };
  });
}

/** All that waits in the outbox, oldest first. Throws SpikeError `store_integrity` and `store_failed`. */
export async function readOutbox(vault: Vault, store: Pick<Store, 'list'>): Promise<OutboxRow[]> {
  const found: OutboxRow[] = [];
  for (;;) {
    const after = found.at(-1)?.key;
    const rows = await store.list('outbox', new Uint8Array(), {
      limit: pageRows,
      ...(after === undefined ? {} : { after }),
    });
    found.push(...rows.map((row) => openRow(vault, row)));
    if (rows.length < pageRows) return found;
  }
}

function openRow(vault: Vault, row: Row): OutboxRow {
  const bytes = vault.open('outbox', row);
  return trusted('a row of the outbox', () => {
    const reader = new FieldReader(bytes);
    if (reader.text(64) !== label || reader.integer() !== format) throw broken('it is of another release');
    const drafts = Array.from({ length: reader.integer(mostRecords) }, () => ({
      trail: reader.text(longest.trail),
      record: reader.text(longest.record),
    }));
    reader.end();
    return { key: row.key, drafts };
  });
}
