import { DatabaseSync } from 'node:sqlite';
import { SpikeError } from '@spike/error';
import { errcodeOf, fromFailure, sqliteCode, toFailure } from './error.ts';

/** The name of the lock in the store's directory. */
export const lockName = 'store.lock';

/**
 * Holds the store for this process until it is disposed of. It is an empty SQLite database with an exclusive
 * transaction open for the whole life, because that is the one lock in Node that the kernel drops with the process
 * (also on SIGKILL and across exec), and that SQLite keeps apart within a process, where POSIX locks alone would let
 * a second opener in. `locking_mode = EXCLUSIVE` on the store itself would shut out our own reading connection.
 * The file is never opened through node:fs: closing such a descriptor would drop the lock.
 */
export function openLock(path: string): Disposable {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // A journal file would be left behind otherwise; nothing is ever written.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    const errcode = errcodeOf(error);
    if (errcode === undefined || (errcode & 0xff) !== sqliteCode.busy) {
      throw fromFailure(toFailure(error, 'none'));
    }
    throw new SpikeError(
      'store_failed',
      'the store is in use by another process (or another part of this one); end it first',
      { detail: { outcome: 'none', held: true } },
    );
  }
  return { [Symbol.dispose]: () => database.isOpen && database.close() };
}
