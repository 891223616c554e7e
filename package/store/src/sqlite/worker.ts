import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { SpikeError } from '@spike/error';
import { openWritable } from './connection.ts';
import { sqliteCode, toFailure, type Outcome } from './error.ts';
import type { Frame } from './frame.ts';
import type { CommitAnswer, WriterAnswer, WriterRequest, WriterStart } from './message.ts';
import { migrate } from './schema.ts';
import { TransactionRunner } from './transaction.ts';

/** The thread that owns the writing connection. It sees sealed bytes only: keys and plaintext stay on the main thread. */
class WriterThread {
  readonly #start: WriterStart;
  readonly #port: MessagePort;
  #database: DatabaseSync | undefined;
  #runner: TransactionRunner | undefined;

  constructor(start: WriterStart, port: MessagePort) {
    this.#start = start;
    this.#port = port;
  }

  listen(): void {
    try {
      this.#open();
    } catch (error) {
      const failure = toFailure(error, 'none');
      this.#answer(
        error instanceof SpikeError
          ? { kind: 'refused', code: error.code, failure }
          : { kind: 'refused', failure },
      );
      return;
    }
    this.#port.on('message', (request: WriterRequest) => {
      if (request.kind === 'close') this.#close();
      else this.#answer({ kind: 'committed', answers: this.#commit(request.frames) });
    });
    this.#answer({ kind: 'ready' });
  }

  #open(): TransactionRunner {
    const database = openWritable(this.#start.path, this.#start.maxBytes);
    try {
      migrate(database);
      this.#runner = new TransactionRunner(database);
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    return this.#runner;
  }

  /** One that fails must not fail its neighbours: after a failure that undid all of them each is tried alone. */
  #commit(frames: readonly Frame[]): readonly CommitAnswer[] {
    const answers = this.#attempt(frames);
    const [first] = answers;
    const undone = first !== undefined && 'failure' in first && first.failure.outcome === 'none';
    if (frames.length > 1 && undone) return frames.flatMap((frame) => this.#attempt([frame]));
    return answers;
  }

  #attempt(frames: readonly Frame[]): readonly CommitAnswer[] {
    let outcome: Outcome = 'none';
    try {
      const runner = this.#runner ?? this.#open();
      return runner.run(frames, () => (outcome = 'unknown'));
    } catch (error) {
      const failure = toFailure(error, outcome);
      const primary = (failure.errcode ?? 0) & 0xff;
      // Without room the frames of a commit are never complete, so it did not happen.
      const known = primary === sqliteCode.full || primary === sqliteCode.busy;
      this.#recover(primary);
      return frames.map(() => ({ failure: known ? { ...failure, outcome: 'none' } : failure }));
    }
  }

  /** After a failed write or sync what SQLite has in memory may not be what is on disk: start over from the file. */
  #recover(primary: number): void {
    try {
      if (this.#database?.isTransaction === true) this.#database.exec('ROLLBACK');
      if (primary !== sqliteCode.io) return;
    } catch {
      // A transaction that cannot be rolled back ends with its connection.
    }
    this.#runner = undefined;
    const database = this.#database;
    this.#database = undefined;
    if (database?.isOpen === true) database.close();
  }

  #close(): void {
    try {
      this.#database?.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // What is committed lies in the journal and is read from there at the next opening.
    } finally {
      this.#database?.close();
      this.#port.close();
    }
  }

  #answer(answer: WriterAnswer): void {
    this.#port.postMessage(answer);
  }
}

if (parentPort !== null) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only ./writer.ts starts this module
  new WriterThread(workerData as WriterStart, parentPort).listen();
}
