import { SpikeError } from '@spike/error';
import type { Row } from '@spike/store';
import {
  damaged,
  decodeRecord,
  encodeRecord,
  isRecord,
  isWhole,
  readNumber,
  readText,
} from '../service/record.ts';
import type { Ledger, Origin, Vault } from '../vault/port.ts';

/** What Nexus remembers of a backup that was taken of it. */
export interface BackupNote {
  /** SHA-256 of its content, in hex: the backup's name. */
  readonly digest: string;
  /** When it was begun. Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  /** Number of the last transaction that is in it. */
  readonly revision: number;
  readonly rows: number;
  /** Of the sealed file, as whoever took it says. */
  readonly bytes: number;
  /** SHA-256 of the sealed file, in hex. */
  readonly sha256: string;
  /** The age recipients, shortened. */
  readonly recipients: readonly string[];
  /** The administrator; empty where there is one layer. */
  readonly by: string;
  /** When every record of it last opened; 0 for never. */
  readonly verifiedAt: number;
}

export interface BackupNotes {
  /** When recovery shares were first given out, and of which generation; 0 for never. */
  readonly recoveryAt: number;
  readonly recoveryGeneration: number;
  /** Newest first. */
  readonly backups: readonly BackupNote[];
  /** When a backup last opened as a whole; 0 for never. Stays when the backup leaves the list. */
  readonly verifiedAt: number;
  /** What this instance was restored from last. */
  readonly restored: { readonly at: number; readonly instance: string; readonly digest: string } | undefined;
}

const mostBackups = 64;
const mostAttempts = 5;
const none: BackupNotes = {
  recoveryAt: 0,
  recoveryGeneration: 0,
  backups: [],
  verifiedAt: 0,
  restored: undefined,
};

/** One sealed record in the table of settings: what is known of backups, and whether anybody could restore one. */
export class BackupBook {
  readonly #vault: Vault;
  readonly #ledger: Ledger;

  constructor({ vault, ledger }: { readonly vault: Vault; readonly ledger: Ledger }) {
    this.#vault = vault;
    this.#ledger = ledger;
  }

  /** Throws SpikeError `store_failed` and `store_integrity`. */
  async read(): Promise<BackupNotes> {
    return this.#open(await this.#ledger.get('setting', this.#key()));
  }

  /** Recovery shares of this generation are given out. Writes each time: who gets them is recorded with it, or gets none. */
  async noteRecovery(generation: number, at: number, origin: () => Origin): Promise<void> {
    await this.#change((notes) => {
      const recoveryGeneration = Math.max(generation, notes.recoveryGeneration);
      return { ...notes, recoveryAt: at, recoveryGeneration };
    }, origin);
  }

  async noteBackup(note: BackupNote, origin: () => Origin): Promise<void> {
    await this.#change(
      (notes) => ({
        ...notes,
        backups: [note, ...notes.backups.filter(({ digest }) => digest !== note.digest)].slice(
          0,
          mostBackups,
        ),
      }),
      origin,
    );
  }

  async noteVerified(digest: string, at: number, origin: () => Origin): Promise<void> {
    await this.#change(
      (notes) => ({
        ...notes,
        verifiedAt: Math.max(at, notes.verifiedAt),
        backups: notes.backups.map((note) => (note.digest === digest ? { ...note, verifiedAt: at } : note)),
      }),
      origin,
    );
  }

  /** For the transaction that ends a restore. */
  async restoredOp(restored: NonNullable<BackupNotes['restored']>) {
    const row = await this.#ledger.get('setting', this.#key());
    return this.#putOp(row, { ...this.#open(row), restored });
  }

  /** Reads, changes and writes, again when somebody else was faster; nothing is written where nothing changes. */
  async #change(change: (notes: BackupNotes) => BackupNotes, origin: () => Origin): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const row = await this.#ledger.get('setting', this.#key());
      const notes = change(this.#open(row));
      try {
        await this.#ledger.commit([this.#putOp(row, notes)], origin());
        return;
      } catch (thrown) {
        const conflict = thrown instanceof SpikeError && thrown.code === 'entity_version_conflict';
        if (!conflict || attempt === mostAttempts) throw thrown;
      }
    }
  }

  #putOp(row: Row | undefined, notes: BackupNotes) {
    const revision = (row?.revision ?? 0) + 1;
    const sealed = this.#vault.seal(
      'setting',
      this.#key(),
      { revision, version: 0, field: 0 },
      encodeRecord(notes),
    );
    const expect = row === undefined ? ('absent' as const) : { revision: row.revision };
    return { kind: 'put', table: 'setting', row: sealed, expect } as const;
  }

  #open(row: Row | undefined): BackupNotes {
    return row === undefined ? none : decodeNotes(this.#vault.open('setting', row));
  }

  #key(): Uint8Array {
    return this.#vault.key('setting', ['backup', 'notes']);
  }
}

function decodeNotes(bytes: Uint8Array): BackupNotes {
  const record = decodeRecord(bytes);
  const { backups, restored } = record;
  if (!Array.isArray(backups)) throw damaged('the notes about backups are incomplete');
  return {
    recoveryAt: readNumber(record, 'recoveryAt'),
    recoveryGeneration: readNumber(record, 'recoveryGeneration'),
    verifiedAt: readNumber(record, 'verifiedAt'),
    backups: backups.map(decodeNote),
    restored: isRecord(restored)
      ? {
          at: readNumber(restored, 'at'),
          instance: readText(restored, 'instance'),
          digest: readText(restored, 'digest'),
        }
      : undefined,
  };
}

function decodeNote(value: unknown): BackupNote {
  if (!isRecord(value)) throw damaged('the notes about backups are incomplete');
  const { recipients } = value;
  if (!Array.isArray(recipients) || !isWhole(value['verifiedAt']))
    throw damaged('the notes about backups are incomplete');
  return {
    digest: readText(value, 'digest'),
    createdAt: readNumber(value, 'createdAt'),
    revision: readNumber(value, 'revision'),
    rows: readNumber(value, 'rows'),
    bytes: readNumber(value, 'bytes'),
    sha256: readText(value, 'sha256'),
    recipients: recipients.map(String),
    by: readText(value, 'by'),
    verifiedAt: value['verifiedAt'],
  };
}
