import type { ListOptions, Op, Row, Table } from '@spike/store';

/** What a service chooses of a row's clear columns; all of them are bound to what is sealed. */
export interface RowMeta {
  /** 1 for a new row, the revision that was read + 1 for a changed one. */
  readonly revision: number;
  /** Number of the secret's version; 0 where a table has none. */
  readonly version: number;
  /** Which of several sealed things of one noun this is; 0 where there is one. */
  readonly field: number;
}

/** Seals and opens rows. What it seals is padded, so sizes tell little. Keys never leave it. */
export interface Vault {
  /** Id of the running instance. */
  readonly instance: string;

  /** Row key of a path: one 16-byte tag for each segment. A subtree is one prefix. Throws `data_invalid_input` for over 32 segments. */
  key(table: Table, segments: readonly string[]): Uint8Array;

  /** Key in `secret_version` of one version of the secret that has this key. */
  versionKey(secretKey: Uint8Array, version: number): Uint8Array;

  seal(table: Table, key: Uint8Array, meta: RowMeta, plaintext: Uint8Array): Row;

  /**
   * What was sealed in this row of this table. Throws SpikeError `store_integrity` when anything of the row was changed,
   * or the row was moved here from elsewhere. Compare the path inside with the one that was asked for.
   */
  open(table: Table, row: Row): Uint8Array;

  /** A list's cursor, bound to who asked and what for, as text for the wire. */
  sealCursor(after: Uint8Array, peer: string, prefix: string): string;

  /** Throws SpikeError `data_invalid_input` for a cursor of another peer, prefix, index key or system. */
  openCursor(cursor: string, peer: string, prefix: string): Uint8Array;
}

/** The audit record of a mutation, as it lies in the outbox until the file has it. */
export interface AuditDraft {
  readonly trail: string;
  /** The record's JSON without its `sequence`, which the file gives. */
  readonly record: string;
}

/** Where a transaction comes from. */
export interface Origin {
  /** Goes to the outbox in the same transaction. */
  readonly record?: AuditDraft;
  /** Throws when it may not be any more: runs in the turn in which the store gets the transaction. */
  readonly check?: () => void;
}

/** How far the audit file is synced to disk; both change together. */
export interface AuditPosition {
  readonly syncedSize: number;
  readonly syncedRoot: Uint8Array;

  /** Throws SpikeError `audit_unavailable` while the file would not take the record of a change. */
  readonly assertRoom?: () => void;
}

/** The store as services see it: cached reads, and writes that are durable together with their audit record. */
export interface Ledger {
  /** Number of the last transaction that was acknowledged. */
  readonly revision: number;

  /** False while a transaction of unknown outcome may still turn out to be committed: what is read may be older. */
  readonly settled: boolean;

  /** Throws SpikeError `store_failed`. */
  get(table: Table, key: Uint8Array): Promise<Row | undefined>;

  /** In the order of the tags, so in no order that means anything. Throws SpikeError `store_failed`. */
  list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]>;

  /**
   * All of these operations, with the audit record, or none; on disk when it resolves. Throws what `check` throws, and SpikeError
   * `entity_version_conflict` when an expectation does not hold: read again and decide again. `store_failed` with
   * `detail.outcome` `unknown` means that it may have happened.
   */
  commit(ops: readonly Op[], origin?: Origin): Promise<void>;

  /** Tells that the audit file holds this outbox record, at this place: it leaves the outbox once the file is synced so far. */
  recorded(trail: string, sequence: number): void;
}
