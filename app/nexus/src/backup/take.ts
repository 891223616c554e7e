import { randomUUID } from 'node:crypto';
import { SpikeError, untilLater } from '@spike/error';
import type { Snapshot, Store } from '@spike/store';
import { Turns } from '../turn.ts';
import type { OpenInstance } from '../vault/instance.ts';
import type { Origin } from '../vault/port.ts';
import type { BackupBook } from './note.ts';
import { describeSnapshot, writeBackup, type Piece } from './write.ts';

export interface TakeOptions {
  readonly store: Store;
  readonly instance: OpenInstance;
  readonly book: BackupBook;
  readonly release: string;
  /** Signed checkpoints of the audit, newest last; none where there are none yet. */
  readonly checkpoints?: () => readonly string[];
  readonly now?: () => number;
  /** Without a further question for a piece it is given up. */
  readonly idleMs?: number;
  /** The longest that one may take: as long as it is under way the store's journal grows. */
  readonly mostMs?: number;
  /** The most that the store may grow meanwhile, in bytes; by as much as it is, and a gibibyte at least, unless told. */
  readonly mostGrowth?: number;
}

/** Whose it is: the SPIFFE ID and the session. */
export interface Owner {
  readonly id: string;
  readonly administrator: string;
}

export interface Begun {
  readonly id: string;
  readonly instance: string;
  readonly createdAt: number;
  readonly revision: number;
  /** Of the store: about as much as there is to come. */
  readonly estimatedBytes: number;
}

/** What whoever sealed it says of the file. */
export interface SealedFile {
  readonly digest: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly recipients: readonly string[];
}

interface Taking {
  readonly begun: Begun;
  readonly owner: string;
  readonly snapshot: Snapshot;
  readonly abort: AbortController;
  readonly pieces: AsyncGenerator<Piece, void, undefined>;
  /** The last piece that was given out, which may be asked for again, and its number. */
  part: number;
  last: Piece;
  readonly turns: Turns;
  idle: NodeJS.Timeout | undefined;
}

const defaultIdleMs = 60_000;
const defaultMostMs = 60 * 60_000;
const leastGrowth = 1024 ** 3;

/** Gives a consistent backup out piece by piece, while the store goes on. There is one at a time. */
export class BackupTaker implements AsyncDisposable {
  readonly #options: TakeOptions;
  #taking: Taking | undefined;

  constructor(options: TakeOptions) {
    this.#options = options;
  }

  /**
   * Throws SpikeError `entity_version_conflict` when nobody holds recovery shares, so that the backup could not be
   * restored, unless that is accepted; `limit_exceeded` while another one is made.
   */
  async begin(owner: Owner, options: { readonly withoutRecovery: boolean }): Promise<Begun> {
    const { store, instance, book, release, checkpoints, now = Date.now } = this.#options;
    const { recoveryAt } = await book.read();
    if (recoveryAt === 0 && !options.withoutRecovery) {
      throw new SpikeError(
        'entity_version_conflict',
        'no recovery shares were taken out yet, and without them nobody can restore a backup: run `spike operator ' +
          'recover` first, or say --without-recovery',
      );
    }
    const abort = new AbortController();
    const limit = AbortSignal.any([abort.signal, AbortSignal.timeout(this.#options.mostMs ?? defaultMostMs)]);
    const snapshot = await store.snapshot(limit);
    try {
      const createdAt = now();
      const parts = {
        snapshot,
        release,
        recoverable: recoveryAt > 0,
        checkpoints: checkpoints?.() ?? [],
        createdAt,
      };
      const { revision } = await describeSnapshot(parts);
      const begun = {
        id: randomUUID(),
        instance: instance.instance,
        createdAt,
        revision,
        estimatedBytes: (await store.health()).bytes,
      };
      this.#taking = {
        begun,
        owner: owner.id,
        snapshot,
        abort,
        pieces: writeBackup({ ...parts, instance }),
        part: 0,
        last: { data: new Uint8Array(), written: undefined },
        turns: new Turns(),
        idle: undefined,
      };
      this.#wait(this.#taking);
      return begun;
    } catch (error) {
      await snapshot[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Piece `part`, from 1; the last one that was given out can be asked for again. Throws as `#find` does, and
   * `limit_exceeded` when so much was written meanwhile that the journal, which nothing may leave, fills the disk.
   */
  async read(
    owner: Owner,
    id: string,
    part: number,
  ): Promise<{ readonly data: Uint8Array; readonly last: boolean }> {
    const taking = this.#find(owner, id);
    return await taking.turns.run(async () => {
      await this.#assertRoom(taking);
      if (part === taking.part + 1 && taking.last.written === undefined) await advance(taking);
      if (part !== taking.part || part === 0) {
        throw new SpikeError('data_invalid_input', `the next piece of this backup is ${taking.part + 1}`);
      }
      this.#wait(taking);
      return { data: taking.last.data, last: taking.last.written !== undefined };
    });
  }

  /** It lies sealed in its place: notes it. Throws `data_invalid_input` when what was sealed is not what was given out. */
  async end(owner: Owner, id: string, file: SealedFile, origin: () => Origin): Promise<void> {
    const taking = this.#find(owner, id);
    const { begun } = taking;
    const { written } = taking.last;
    if (written === undefined || Buffer.from(written.digest).toString('hex') !== file.digest) {
      throw new SpikeError(
        'data_invalid_input',
        'what was sealed is not what Nexus gave: take the backup again',
      );
    }
    await this.#options.book.noteBackup(
      {
        ...file,
        createdAt: begun.createdAt,
        revision: begun.revision,
        rows: written.rows,
        by: owner.administrator,
        verifiedAt: 0,
      },
      origin,
    );
    await this.#close(taking);
  }

  /** Gives one up. One that is over already is no error. */
  async cancel(owner: Owner, id: string): Promise<void> {
    const taking = this.#taking;
    if (taking?.begun.id === id && taking.owner === owner.id) await this.#close(taking);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#taking !== undefined) await this.#close(this.#taking);
  }

  /** Throws SpikeError `api_not_found` for one that is over, and for one of somebody else. */
  #find(owner: Owner, id: string): Taking {
    const taking = this.#taking;
    if (taking?.begun.id === id && taking.owner === owner.id && !taking.abort.signal.aborted) return taking;
    throw new SpikeError('api_not_found', 'this backup is over, or was never begun: take it again');
  }

  async #assertRoom(taking: Taking): Promise<void> {
    const before = taking.begun.estimatedBytes;
    const { bytes } = await this.#options.store.health();
    if (bytes - before <= (this.#options.mostGrowth ?? Math.max(leastGrowth, before))) return;
    await this.#close(taking);
    throw new SpikeError(
      'limit_exceeded',
      'too much was written while this backup was taken, and it was given up to keep the disk free: take it again, on a faster way or when less is written',
      untilLater,
    );
  }

  #wait(taking: Taking): void {
    clearTimeout(taking.idle);
    const idleMs = this.#options.idleMs ?? defaultIdleMs;
    taking.idle = setTimeout(() => void this.#close(taking), idleMs).unref();
  }

  async #close(taking: Taking): Promise<void> {
    clearTimeout(taking.idle);
    if (this.#taking === taking) this.#taking = undefined;
    taking.abort.abort();
    await taking.snapshot[Symbol.asyncDispose]();
  }
}

async function advance(taking: Taking): Promise<void> {
  const next = await taking.pieces.next();
  if (next.done === true) throw new SpikeError('api_internal_error', 'a backup ended without its last piece');
  taking.part += 1;
  taking.last = next.value;
}
