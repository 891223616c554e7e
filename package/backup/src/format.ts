import { SpikeError } from '@spike/error';
import { maxBodyBytes, maxHeadBytes, maxKeyBytes, maxNonceBytes, type Row, type Table } from '@spike/store';

/** The layout of doc/reference/backup.md. A release that changes it raises the number, and reads older ones. */
export const backupFormat = 1;
/** First line of every backup, before its age layer is put around it; the number of the format is behind it. */
export const magic = 'spike-backup/v';

export const frameKinds = { header: 1, head: 2, checkpoint: 3, row: 4, trailer: 5 } as const;
export type FrameKind = keyof typeof frameKinds;

/** One byte for the kind and four, big-endian, for the length of what follows. */
export const frameHeadBytes = 5;
export const hashBytes = 32;

/** Of the payload of a frame in bytes, checked before there is room made for it. */
export const longestFrame: Readonly<Record<FrameKind, number>> = {
  header: 64 * 1024,
  head: maxHeadBytes,
  checkpoint: 64 * 1024,
  // The row, its eight columns that are numbers or a name, and five bytes before each of its fields.
  row: maxBodyBytes + maxKeyBytes + maxNonceBytes + 256,
  trailer: 64 * 1024,
};
export const mostCheckpoints = 64;
export const mostTables = 64;

/** What a backup says of itself before anything of it is opened. It proves nothing; the trailer's MAC does. */
export interface BackupHeader {
  readonly instance: string;
  /** Milliseconds since 1970, by the clock of Nexus. */
  readonly createdAt: number;
  /** The release of Nexus that made it. */
  readonly release: string;
  /** Of the head: a later schema needs a later release. */
  readonly schema: number;
  readonly suite: number;
  /** Number of the last transaction that is in it. */
  readonly revision: number;
  readonly keyringEpoch: number;
  /** Whether recovery shares of the instance had been given out: without them nobody can restore it. */
  readonly recoverable: boolean;
  readonly recovery: {
    readonly threshold: number;
    readonly count: number;
    readonly generation: number;
    /** Digest of share 1, 2, … `count`: names a wrong share, and proves nothing. */
    readonly digests: readonly Uint8Array[];
  };
}

export interface TableCount {
  readonly table: Table;
  readonly rows: number;
}

export interface BackupTrailer {
  readonly counts: readonly TableCount[];
  /** Number of the anchor key in the keyring whose MAC this is. */
  readonly key: number;
  /** Of Nexus, over `digest`: nobody else makes a backup, or leaves something out of one. */
  readonly mac: Uint8Array;
  /** SHA-256 of everything before the trailer: names the backup. Read from the file it is what was computed. */
  readonly digest: Uint8Array;
}

/** A backup, piece by piece, in this order: one header, one head, checkpoints, rows, one trailer. */
export type Frame =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  /** The clear head of the store: wrapped keyring and manifests. */
  | { readonly kind: 'head'; readonly revision: number; readonly bytes: Uint8Array }
  /** A signed checkpoint of an audit log, as text. */
  | { readonly kind: 'checkpoint'; readonly text: string }
  | { readonly kind: 'row'; readonly table: Table; readonly row: Row }
  | { readonly kind: 'trailer'; readonly trailer: BackupTrailer };

export function damagedBackup(what: string, cause?: unknown): SpikeError {
  return new SpikeError(
    'data_invalid_input',
    `this backup is damaged or cut off: ${what}; use another one`,
    cause === undefined ? {} : { cause },
  );
}
