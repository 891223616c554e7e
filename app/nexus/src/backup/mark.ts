import type { Op, Row } from '@spike/store';
import { decodeRecord, encodeRecord, readNumber, readText } from '../service/record.ts';
import type { Ledger, Vault } from '../vault/port.ts';

/** That a backup is being restored. As long as it is in the store, nothing else is served, also after a restart. */
export interface RestoreMark {
  /** SHA-256 of the backup's content, in hex: it is gone on with by this one alone. */
  readonly digest: string;
  /** The backup's instance. */
  readonly instance: string;
  /** When the backup was taken, and when the restore was begun. Milliseconds since 1970. */
  readonly createdAt: number;
  readonly startedAt: number;
  /** The administrator; empty where there is one layer. */
  readonly by: string;
}

/** The mark's place in the table of settings. */
export class RestoreMarkPlace {
  readonly #vault: Vault;

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /** Undefined where no restore is under way. Throws SpikeError `store_failed` and `store_integrity`. */
  async read(ledger: Pick<Ledger, 'get'>): Promise<RestoreMark | undefined> {
    const row = await ledger.get('setting', this.#key());
    return row === undefined ? undefined : decodeMark(this.#vault.open('setting', row));
  }

  putOp(mark: RestoreMark): Op {
    const meta = { revision: 1, version: 0, field: 0 };
    const row: Row = this.#vault.seal('setting', this.#key(), meta, encodeRecord(mark));
    return { kind: 'put', table: 'setting', row, expect: 'absent' };
  }

  removeOp(): Op {
    return { kind: 'delete', table: 'setting', key: this.#key(), expect: { revision: 1 } };
  }

  #key(): Uint8Array {
    return this.#vault.key('setting', ['backup', 'restoring']);
  }
}

function decodeMark(bytes: Uint8Array): RestoreMark {
  const record = decodeRecord(bytes);
  return {
    digest: readText(record, 'digest'),
    instance: readText(record, 'instance'),
    createdAt: readNumber(record, 'createdAt'),
    startedAt: readNumber(record, 'startedAt'),
    by: readText(record, 'by'),
  };
}
