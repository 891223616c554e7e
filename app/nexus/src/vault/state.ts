import { encodeFields, FieldReader } from '@spike/crypto';
import type { Row } from '@spike/store';

import { broken, trusted } from './integrity.ts';
import type { Vault } from './port.ts';

export interface TableState {
  readonly table: string;
  readonly rows: number;
  readonly digest: Uint8Array;
}

/** The one record that changes in every transaction, so that a store that was put back is known by it. */
export interface State {
  /** Number of the transaction. */
  readonly revision: number;
  readonly keyringEpoch: number;
  /** Number of the anchor key that the digests of the tables are made with. */
  readonly digestKey: number;
  readonly tables: readonly TableState[];
  /** SHA-256 of the head. */
  readonly head: Uint8Array;
  /** Size and root of the audit as far as it was synced to disk when the record was made. */
  readonly auditSize: number;
  readonly auditRoot: Uint8Array;
  /** No record that the outbox still has stands in the file before this place: at most `auditSize`. */
  readonly outboxFrom: number;
}

const label = 'spike/state';
const format = 1;
const hashBytes = 32;
const mostTables = 64;

export function stateKey(vault: Vault): Uint8Array {
  return vault.key('state', ['state']);
}

export function sealState(vault: Vault, state: State): Row {
  const { revision, keyringEpoch, digestKey, tables, head, auditSize, auditRoot, outboxFrom } = state;
  const plaintext = encodeFields(
    label,
    format,
    revision,
    keyringEpoch,
    digestKey,
    tables.length,
    ...tables.flatMap(({ table, rows, digest }) => [table, rows, digest]),
    head,
    auditSize,
    auditRoot,
    outboxFrom,
  );
  return vault.seal('state', stateKey(vault), { revision, version: 0, field: 0 }, plaintext);
}

/** Throws SpikeError `store_integrity`. */
export function openState(vault: Vault, row: Row): State {
  const bytes = vault.open('state', row);
  return trusted('the state record', () => {
    const reader = new FieldReader(bytes);
    if (reader.text(64) !== label || reader.integer() !== format) throw broken('it is of another release');
    const state = {
      revision: reader.integer(),
      keyringEpoch: reader.integer(),
      digestKey: reader.integer(),
      tables: Array.from({ length: reader.integer(mostTables) }, () => ({
        table: reader.text(64),
        rows: reader.integer(),
        digest: reader.exactly(hashBytes),
      })),
      head: reader.exactly(hashBytes),
      auditSize: reader.integer(),
      auditRoot: reader.exactly(hashBytes),
      outboxFrom: reader.integer(),
    };
    reader.end();
    if (state.revision !== row.revision) throw broken('the state record has another revision than its row');
    return state;
  });
}
