import { setImmediate } from 'node:timers/promises';
import { BackupWriter, type BackupHeader } from '@spike/backup';
import { tables, type Snapshot, type Table } from '@spike/store';
import { newestSplit, parseHead, schemaVersion, suite } from '../vault/head.ts';
import type { OpenInstance } from '../vault/instance.ts';
import { broken } from '../vault/integrity.ts';

export interface WriteOptions {
  readonly snapshot: Snapshot;
  readonly instance: Pick<OpenInstance, 'anchors'>;
  readonly release: string;
  readonly recoverable: boolean;
  /** Signed checkpoints of the audit, as text. */
  readonly checkpoints: readonly string[];
  readonly createdAt: number;
}

export interface Piece {
  readonly data: Uint8Array;
  /** With the last piece. */
  readonly written: Written | undefined;
}

/** What is known when the last byte was made. */
export interface Written {
  readonly digest: Uint8Array;
  readonly rows: number;
  readonly bytes: number;
}

/** Records on their way to the audit file belong to the log, and counters of failed logins to the moment. */
const leftOut: readonly string[] = ['outbox', 'attempt'];
export const backupTables: readonly Table[] = tables.filter((table) => !leftOut.includes(table));

/** Of one piece, but for the last one and for one that a large record makes larger. */
const pieceBytes = 1024 * 1024;
const pageRows = 500;

/** The header of a backup of this snapshot. Throws SpikeError `store_integrity`. */
export async function describeSnapshot(options: Omit<WriteOptions, 'instance'>): Promise<BackupHeader> {
  const { snapshot, release, recoverable, createdAt } = options;
  if (snapshot.head === undefined) throw broken('the store has no head');
  const head = parseHead(snapshot.head.bytes);
  const [state] = await snapshot.rows('state', { limit: 1 });
  if (state === undefined) throw broken('the store has no state record');
  const { threshold, count, generation, digests } = newestSplit(head.splits, 'recovery');
  return {
    instance: head.instance,
    createdAt,
    release,
    schema: schemaVersion,
    suite,
    revision: state.revision,
    keyringEpoch: head.keyringEpoch,
    recoverable,
    recovery: { threshold, count, generation, digests },
  };
}

/** The bytes of a backup, piece by piece. Whoever reads slowly holds up nobody but the snapshot. */
export async function* writeBackup(options: WriteOptions): AsyncGenerator<Piece, void, undefined> {
  const { snapshot, instance, checkpoints } = options;
  const writer = new BackupWriter();
  const piece = new PieceMaker();
  piece.add(writer.header(await describeSnapshot(options)));
  if (snapshot.head === undefined) throw broken('the store has no head');
  piece.add(writer.head(snapshot.head.revision, snapshot.head.bytes));
  for (const text of checkpoints) piece.add(writer.checkpoint(text));
  for (const table of backupTables) {
    for (let after: Uint8Array | undefined; ;) {
      const page = { limit: pageRows, bytes: pieceBytes, ...(after === undefined ? {} : { after }) };
      const rows = await snapshot.rows(table, page);
      for (const row of rows) {
        piece.add(writer.row(table, row));
        if (piece.size >= pieceBytes) yield { data: piece.take(), written: undefined };
      }
      after = rows.at(-1)?.key;
      if (after === undefined) break;
      await setImmediate();
    }
  }
  const { bytes, digest } = writer.trailer((content) => instance.anchors.signBackup(content));
  piece.add(bytes);
  const rows = writer.counts.reduce((sum, count) => sum + count.rows, 0);
  yield { data: piece.take(), written: { digest, rows, bytes: writer.bytes } };
}

class PieceMaker {
  #parts: Uint8Array[] = [];
  size = 0;

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.size += bytes.length;
  }

  take(): Uint8Array {
    const whole = Buffer.concat(this.#parts, this.size);
    this.#parts = [];
    this.size = 0;
    return whole;
  }
}
