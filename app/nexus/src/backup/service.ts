import type { Share } from '@spike/crypto';
import { SpikeError, untilLater } from '@spike/error';
import type { Store } from '@spike/store';
import type { OpenInstance } from '../vault/instance.ts';
import type { GroupLedger } from '../vault/ledger.ts';
import type { Origin } from '../vault/port.ts';
import type { BackupReport } from './check.ts';
import { RestoreMarkPlace, type RestoreMark } from './mark.ts';
import { BackupBook, type BackupNotes } from './note.ts';
import type { Finders } from './place.ts';
import { BackupReading, type Purpose } from './reading.ts';
import { BackupRestorer, type Restored } from './restore.ts';
import { BackupTaker, type Owner } from './take.ts';

export interface BackupServiceOptions {
  readonly store: Store;
  readonly ledger: GroupLedger;
  readonly instance: OpenInstance;
  readonly finders: Finders;
  readonly release: string;
  /** Signed checkpoints of the audit, as text, to go into each backup. */
  readonly checkpoints?: () => readonly string[];
  readonly now?: () => number;
}

/** Backups of one unlocked instance: taking them, looking at them, and bringing one back. */
export class BackupService implements AsyncDisposable {
  readonly book: BackupBook;
  readonly taker: BackupTaker;
  readonly #options: BackupServiceOptions;
  readonly #restorer: BackupRestorer;
  /** One at a time: the keys of another instance are here as long as it is. */
  #reading: BackupReading | undefined;

  private constructor(options: BackupServiceOptions, mark: RestoreMark | undefined) {
    const { store, ledger, instance, finders, release, checkpoints, now } = options;
    this.#options = options;
    this.book = new BackupBook({ vault: instance.vault, ledger });
    const clock = now === undefined ? {} : { now };
    this.taker = new BackupTaker({
      store,
      instance,
      book: this.book,
      release,
      ...(checkpoints === undefined ? {} : { checkpoints }),
      ...clock,
    });
    this.#restorer = new BackupRestorer({
      store,
      ledger,
      instance,
      book: this.book,
      finders,
      mark,
      ...clock,
    });
  }

  /** Throws SpikeError `store_failed` and `store_integrity`. */
  static async open(options: BackupServiceOptions): Promise<BackupService> {
    return new BackupService(
      options,
      await new RestoreMarkPlace(options.instance.vault).read(options.ledger),
    );
  }

  /** As long as it is there, all but the rest of the restore is refused. */
  get restoring(): RestoreMark | undefined {
    return this.#restorer.mark;
  }

  async list(): Promise<BackupNotes & { readonly revision: number }> {
    return { ...(await this.book.read()), revision: this.#options.ledger.revision };
  }

  /** When the newest backup was taken; undefined where there is none. */
  async newest(): Promise<Date | undefined> {
    const [first] = (await this.book.read()).backups;
    return first === undefined ? undefined : new Date(first.createdAt);
  }

  /** When every record of a backup last opened, in milliseconds since 1970; undefined for never. */
  async lastVerified(): Promise<number | undefined> {
    return (await this.book.read()).verifiedAt || undefined;
  }

  /**
   * Begins to read a backup, in the place of one that the same administrator read before, and a restore in the place of
   * a verification. Throws `limit_exceeded` while another reads, and `api_bad_request` for verifying a backup of another instance, whose keys are not here.
   */
  openReading(owner: Owner, purpose: Purpose, start: Uint8Array): BackupReading {
    const isOthers = this.#reading !== undefined && this.#reading.owner !== owner.id;
    // A restore does not wait for whoever only looks: until it is through nothing is served, and nobody can end a session.
    if (isOthers && !(purpose === 'restore' && this.#reading?.purpose === 'verify')) {
      throw new SpikeError(
        'limit_exceeded',
        'somebody else reads a backup at the moment: wait for its end',
        untilLater,
      );
    }
    this.#putAway();
    const { instance, finders } = this.#options;
    const reading = new BackupReading({
      owner: owner.id,
      purpose,
      start,
      instance: purpose === 'verify' ? instance : undefined,
      finders,
      onOver: () => {
        if (this.#reading === reading) this.#putAway();
      },
    });
    if (purpose === 'verify' && reading.header.instance !== instance.instance) {
      reading[Symbol.dispose]();
      throw new SpikeError(
        'api_bad_request',
        `this backup is of instance ${reading.header.instance}, and this is ${instance.instance}: verify it with recovery shares of its own`,
      );
    }
    this.#reading = reading;
    return reading;
  }

  /** Throws SpikeError `api_not_found` for one that was put away, and for one of somebody else. */
  takeShare(owner: Owner, id: string, share: Share) {
    let reading: BackupReading;
    try {
      reading = this.#find(owner, id);
    } catch (error) {
      share[Symbol.dispose]();
      throw error;
    }
    const repeated = reading.takeShare(share);
    return { collected: reading.collected, remaining: reading.remaining, repeated };
  }

  /** The next bytes; with the last of the first pass the report, and a note that the backup was verified. */
  async feed(
    owner: Owner,
    id: string,
    offset: number,
    data: Uint8Array,
    origin: () => Origin,
  ): Promise<{ readonly offset: number; readonly report: BackupReport | undefined }> {
    const reading = this.#find(owner, id);
    const before = reading.report;
    if (before === undefined) {
      await reading.feed(offset, data, () => undefined);
      const { report } = reading;
      if (report !== undefined && reading.purpose === 'verify' && report.problems.length === 0) {
        const { now = Date.now } = this.#options;
        await this.book.noteVerified(report.digest, now(), origin);
      }
      return { offset: reading.offset, report };
    }
    if (reading.purpose === 'verify') return { offset: reading.offset, report: before };
    await this.#restorer.feed(reading, offset, data, origin);
    return { offset: reading.offset, report: undefined };
  }

  async start(
    owner: Owner,
    id: string,
    options: { readonly replace: boolean },
    origin: () => Origin,
  ): Promise<{ readonly cleared: boolean }> {
    const reading = this.#find(owner, id);
    return await this.#restorer.start(reading, { ...options, by: owner.administrator }, origin);
  }

  /** Afterwards the instance has to be opened anew (`Custody.reopen`). */
  async finish(
    owner: Owner,
    id: string,
    keep: Uint8Array | undefined,
    origin: () => Origin,
  ): Promise<Restored> {
    const restored = await this.#restorer.finish(this.#find(owner, id), keep, origin);
    this.#putAway();
    return restored;
  }

  /** True when the store is empty and the mark gone; then the instance has to be opened anew. */
  async abort(origin: () => Origin): Promise<boolean> {
    this.#putAway();
    return await this.#restorer.abort(origin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#putAway();
    this.#restorer[Symbol.dispose]();
    await this.taker[Symbol.asyncDispose]();
  }

  #find(owner: Owner, id: string): BackupReading {
    if (this.#reading?.id === id && this.#reading.owner === owner.id) return this.#reading;
    throw new SpikeError('api_not_found', 'this backup was put away, or never opened: begin again');
  }

  #putAway(): void {
    this.#reading?.[Symbol.dispose]();
    this.#reading = undefined;
  }
}
