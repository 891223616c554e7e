import type { Sealed } from './seal.ts';

/** The tables of a store, in the order in which a schema creates them. */
export const tables = [
  'secret',
  'secret_version',
  'policy',
  'outbox',
  'state',
  'administrator',
  'setting',
  'attempt',
  'alert',
  'history',
] as const;
export type Table = (typeof tables)[number];

/** Longest row key in bytes: 32 tags of 16 bytes and a version of 8 (design.md 3). */
export const maxKeyBytes = 520;
/** Longest sealed body in bytes. The largest secret is 1 MiB of JSON before padding and base64. */
export const maxBodyBytes = 4 * 1024 * 1024;
export const maxNonceBytes = 64;
/** Longest clear head in bytes: wrapped keyring, manifests, share digests. */
export const maxHeadBytes = 4 * 1024 * 1024;
/** Most rows that one `list` answers. */
export const maxListRows = 10_000;
/** Most operations in one commit, and most bytes of keys, nonces and bodies in it. */
export const maxCommitOps = 10_000;
export const maxCommitBytes = 64 * 1024 * 1024;

/** One sealed record. Everything but `body` is clear, is bound to it as associated data, and proves nothing by itself. */
export interface Row {
  readonly key: Uint8Array;
  readonly format: number;
  readonly suite: number;
  readonly term: number;
  readonly revision: number;
  readonly version: number;
  readonly field: number;
  readonly nonce: Uint8Array;
  readonly body: Sealed;
}

/** The clear metadata of the instance, opaque to a driver. A store has one or none. */
export interface Head {
  readonly revision: number;
  readonly bytes: Uint8Array;
}

/** What must be true of the row (or head) at the moment of writing: nothing there, anything, or this very revision. */
export type Expect = 'absent' | 'any' | { readonly revision: number };

export type Op =
  | { readonly kind: 'put'; readonly table: Table; readonly row: Row; readonly expect: Expect }
  | { readonly kind: 'delete'; readonly table: Table; readonly key: Uint8Array; readonly expect: Expect }
  | { readonly kind: 'head'; readonly bytes: Uint8Array; readonly revision: number; readonly expect: Expect };

/** `conflict` is the index of the first operation whose expectation did not hold; then nothing was written. */
export type CommitResult = { readonly ok: true } | { readonly ok: false; readonly conflict: number };

export interface ListOptions {
  /** Rows whose key sorts behind this one; it need not exist. */
  readonly after?: Uint8Array;
  /** 1 to `maxListRows`. */
  readonly limit: number;
  /** Of keys, nonces and bodies together: a page ends behind the row that reaches it, and has one row at least. */
  readonly bytes?: number;
}

/** The store as it was at one moment, whatever is written meanwhile. Whoever opened it disposes it, soon: it costs room. */
export interface Snapshot extends AsyncDisposable {
  readonly head: Head | undefined;
  /** All rows of a table, page by page, in the order of the key's bytes. Throws `store_failed` when the snapshot is over. */
  rows(table: Table, options: ListOptions): Promise<readonly Row[]>;
}

export interface StoreHealth {
  readonly ok: boolean;
  readonly kind: Store['kind'];
  /** Size of what is stored, in bytes, journal included. */
  readonly bytes: number;
  /** Why it is not well, and what to do. */
  readonly problem?: string;
}

export interface VerifyReport {
  readonly ok: boolean;
  /** What the check found, at most 100 findings. */
  readonly problems: readonly string[];
  readonly durationMs: number;
}

/**
 * What the ledger needs of a place that keeps sealed rows. A driver knows bytes, never keys or plaintext, and is
 * not trusted: whatever it answers is authenticated above it.
 *
 * Every method throws `store_failed` when the store cannot be read or written (trying again can help, and
 * `detail.outcome` says whether a commit may have happened: `none` or `unknown`), `store_integrity` when it is
 * damaged, and `data_invalid_input` when an argument breaks a limit.
 */
export interface Store extends AsyncDisposable {
  readonly kind: 'sqlite' | 'memory';
  head(): Promise<Head | undefined>;
  get(table: Table, key: Uint8Array): Promise<Row | undefined>;
  /** Rows whose key starts with `prefix`, in the order of the key's bytes. */
  list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]>;
  /** All operations in order, or none; they are durable when this resolves. A later one sees what an earlier one wrote. */
  commit(ops: readonly Op[]): Promise<CommitResult>;
  health(): Promise<StoreHealth>;
  /**
   * All that the store holds now, for a backup. It is over when it is disposed, when the signal fires, and with the
   * store. There is one at a time: throws `limit_exceeded` for a second.
   */
  snapshot(signal: AbortSignal): Promise<Snapshot>;
  /** A full check of what is stored, away from the event loop. */
  verify(signal: AbortSignal): Promise<VerifyReport>;
}
