import { SpikeError, type ErrorCode } from '@spike/error';

/** What is known of a commit that failed: it did not happen, or only a look at the store can tell. */
export type Outcome = 'none' | 'unknown';

/** A failure as it crosses from a Worker: an Error's own properties do not survive the crossing. */
export interface Failure {
  /** SQLite's extended result code, where it was SQLite that failed. */
  readonly errcode?: number;
  readonly message: string;
  readonly outcome: Outcome;
}

/** Primary result codes of https://www.sqlite.org/rescode.html that need an answer of their own. */
export const sqliteCode = {
  busy: 5,
  locked: 6,
  readonly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  notadb: 26,
};

const answers: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [sqliteCode.busy]: [
    'store_failed',
    'the store is locked by another process; end that process, then try again',
  ],
  [sqliteCode.locked]: ['store_failed', 'the store is locked by another connection; try again'],
  [sqliteCode.readonly]: [
    'store_failed',
    'the store cannot be written; make its file system and files writable for us',
  ],
  [sqliteCode.io]: [
    'store_failed',
    'the disk failed under the store; look at the kernel log and the disk, then try again',
  ],
  // Also what SQLite makes of EIO while it reads.
  [sqliteCode.corrupt]: [
    'store_integrity',
    'the store file is damaged, or its disk cannot read it: stop, look at the kernel log, keep a copy, restore a backup',
  ],
  [sqliteCode.full]: ['store_failed', 'there is no room left for the store; free disk space, then try again'],
  [sqliteCode.cantopen]: [
    'store_failed',
    'the store file cannot be opened; look at its directory and permissions',
  ],
  [sqliteCode.notadb]: [
    'store_integrity',
    'the store file is not a SQLite database; restore a backup, or point to the right directory',
  ],
};

/** The SQLite result code (extended) of whatever was thrown. */
export function errcodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode : undefined;
}

export function toFailure(thrown: unknown, outcome: Outcome): Failure {
  const message = thrown instanceof Error ? thrown.message : 'unknown';
  const errcode = errcodeOf(thrown);
  return errcode === undefined ? { message, outcome } : { errcode, message, outcome };
}

/** A failure as the error that callers get, with what to do about it. */
export function fromFailure(failure: Failure): SpikeError {
  const { errcode, message, outcome } = failure;
  const known = errcode === undefined ? undefined : answers[errcode & 0xff];
  const [code, advice] = known ?? [
    'store_failed',
    'the store failed; try again, and look at the log if it persists',
  ];
  return new SpikeError(code, `${advice} (${message})`, {
    detail: errcode === undefined ? { outcome } : { outcome, errcode },
  });
}

/** Runs something that reads, with SQLite's errors turned into ours. */
export function convertErrors<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof SpikeError) throw error;
    throw fromFailure(toFailure(error, 'none'));
  }
}
