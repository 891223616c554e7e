import { encodeFields, FieldReader, integerBytes } from '@spike/crypto';
import type { Op, Row, Store } from '@spike/store';

import { broken, trusted } from './integrity.ts';
import type { AuditDraft, Vault } from './port.ts';

export interface OutboxRecord extends AuditDraft {
  readonly key: Uint8Array;
}

/** Which records lie in the outbox, and which of them the audit file holds. */
export class OutboxTracker {
  readonly #missing = new Map<string, Uint8Array[]>();
  /** About in the order of their places in the file. */
  readonly #held: { readonly key: Uint8Array; readonly sequence: number }[] = [];

  add(trail: string, key: Uint8Array): void {
    const keys = this.#missing.get(trail);
    if (keys === undefined) this.#missing.set(trail, [key]);
    else keys.push(key);
  }

  /** The file holds this record, at this place. Trails that are not in the outbox are those of reads. */
  hold(trail: string, sequence: number): void {
    for (const key of this.#missing.get(trail) ?? []) this.#held.push({ key, sequence });
    this.#missing.delete(trail);
  }

  /** Keys of records that lie in the first `syncedSize` places of the file: the next to leave the outbox. */
  removable(syncedSize: number): readonly Uint8Array[] {
    const next = this.#held.slice(0, mostRemoved);
    const unsynced = next.findIndex((entry) => entry.sequence >= syncedSize);
    return (unsynced < 0 ? next : next.slice(0, unsynced)).map(({ key }) => key);
  }

  /** The lowest place of the records that are left when the first so many are gone; Infinity for none. */
  firstBehind(count: number): number {
    let lowest = Infinity;
    for (let i = count; i < this.#held.length; i++) {
      lowest = Math.min(lowest, this.#held[i]?.sequence ?? Infinity);
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
const format = 1;
const pageRows = 500;
/** In characters; a record is at most a few kilobytes in practice. */
const longest = { trail: 256, record: 1024 * 1024 } as const;

/** The records of one transaction. Their keys are its number and then their place in it, so that they list in order. */
export function outboxOps(vault: Vault, revision: number, drafts: readonly AuditDraft[]): Op[] {
  return drafts.map((draft, i) => {
    const place = new Uint8Array(4);
    new DataView(place.buffer).setUint32(0, i);
    const key = Buffer.concat([integerBytes(revision), place]);
    const text = encodeFields(label, format, draft.trail, draft.record);
    const row = vault.seal('outbox', key, { revision, version: 0, field: 0 }, text);
    return { kind: 'put', table: 'outbox', row, expect: 'absent' };
  });
}

/** All that waits in the outbox, oldest first. Throws SpikeError `store_integrity` and `store_failed`. */
export async function readOutbox(vault: Vault, store: Pick<Store, 'list'>): Promise<OutboxRecord[]> {
  const found: OutboxRecord[] = [];
  for (;;) {
    const after = found.at(-1)?.key;
    const rows = await store.list('outbox', new Uint8Array(), {
      limit: pageRows,
      ...(after === undefined ? {} : { after }),
    });
    found.push(...rows.map((row) => openRecord(vault, row)));
    if (rows.length < pageRows) return found;
  }
}

function openRecord(vault: Vault, row: Row): OutboxRecord {
  const bytes = vault.open('outbox', row);
  return trusted('a record in the outbox', () => {
    const reader = new FieldReader(bytes);
    if (reader.text(64) !== label || reader.integer() !== format) throw broken('it is of another release');
    const record = { key: row.key, trail: reader.text(longest.trail), record: reader.text(longest.record) };
    reader.end();
    return record;
  });
}
