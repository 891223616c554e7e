import { SpikeError } from '@spike/error';
import type { SpiffeId } from '@spike/spiffe';
import { RecordBook } from '../admin/record-book.ts';
import { KeyedLock } from '../service/keyed-lock.ts';
import type { Mutation } from '../service/port.ts';
import type { AuditDraft, Origin } from '../vault/port.ts';
import type { DenialOptions } from './port.ts';
import { decodeDenial, denialBook, encodeDenial, isInForce, type DenialRecord } from './record.ts';
import { checkSubject, covers, formatSubject, parseSubject, type Subject } from './subject.ts';
import { SubjectTree } from './tree.ts';

const lookMs = 10_000;
/** How old the stored time may be while a denial waits for its end. */
const storeMs = 600_000;
const mostDenials = 10_000;
const longestDenialMs = 366 * 24 * 3_600_000;

/** What is shown of a denial. Times are milliseconds since 1970, of the wall clock. */
export interface DenialView {
  readonly spiffeId: string;
  readonly reason: string;
  readonly by: string;
  readonly since: number;
  readonly until: number | undefined;
}

/** How long it is to hold: for ever where neither is given. Milliseconds; `until` of the wall clock. */
export interface DenialTerm {
  readonly until?: number | undefined;
  readonly ms?: number | undefined;
}

export interface DenialWish {
  readonly spiffeId: string;
  readonly reason: string;
  readonly term: DenialTerm;
  readonly by: string;
}

interface Known {
  readonly subject: Subject;
  readonly record: DenialRecord;
}

/**
 * SPIFFE IDs that are refused whatever policies say, for a faster effect than the end of an SVID. It is no lock: it covers
 * neither SPIKE's own identities nor a whole trust domain (doc/guide/deny.md).
 */
export class Denials implements Disposable {
  readonly #options: DenialOptions;
  readonly #book: RecordBook<DenialRecord>;
  readonly #tree = new SubjectTree<Known>();
  readonly #lock = new KeyedLock();
  /** Subjects of which the tree may not know yet what the book, or the store, holds. */
  readonly #unsure = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  private constructor(options: DenialOptions, book: RecordBook<DenialRecord>) {
    this.#options = options;
    this.#book = book;
    for (const { subject } of book.values()) this.#show(subject);
    this.#timer = setInterval(() => void this.look().catch(() => undefined), lookMs).unref();
  }

  /** Throws SpikeError `store_integrity` when one does not open: whoever it denied would be let in. */
  static async load(options: DenialOptions, signal?: AbortSignal): Promise<Denials> {
    const { vault, ledger } = options;
    const book = await RecordBook.load<DenialRecord>(
      {
        vault,
        ledger,
        table: 'setting',
        book: denialBook,
        segmentsOf: ({ subject }) => [subject],
        encode: encodeDenial,
        decode: decodeDenial,
      },
      signal,
    );
    return new Denials(options, book);
  }

  /** Synchronously and from memory, at every request. Never says so of SPIKE's own, whatever the store holds. */
  denies(id: SpiffeId): boolean {
    if (this.#tree.isEmpty) return false;
    return this.#find(id) !== undefined && !this.#options.roles.isOwn(id);
  }

  /** How many are in force. */
  get count(): number {
    const now = this.#now();
    return this.#book.values().filter((record) => isInForce(record, now)).length;
  }

  /**
   * Denies from now on: when it resolves, nothing that is served later goes to whom it covers, nothing of theirs is
   * committed any more, and their connections are cut. Throws SpikeError `data_invalid_input` for what may not be denied, and `limit_exceeded`.
   */
  async put(
    { spiffeId, reason, term, by }: DenialWish,
    asked: Mutation,
  ): Promise<{ readonly denial: DenialView; readonly cut: number }> {
    const subject = parseSubject(spiffeId);
    checkSubject(subject, this.#options.roles);
    const text = formatSubject(subject);
    const ms = this.#lengthOf(term);
    return await this.#change(asked, async () => {
      this.#checkRoom(text);
      const { alerts, cut, ledger } = this.#options;
      const at = this.#now();
      const until = ms === undefined ? undefined : at + ms;
      const record = { subject: text, reason, by, at, wall: this.#wall(), until };
      await this.#store(text, record, asked);
      const denial = this.#view(record);
      alerts.raise({
        kind: 'denial_changed',
        subject: text,
        message: 'an administrator denied a SPIFFE ID, or all below a path',
        detail: { by, reason, until: denial.until === undefined ? 'lifted' : toTime(denial.until) },
      });
      const count = cut((id) => covers(subject, id) && this.denies(id));
      // A write that was let through before the tree knew is in the batch of now. The denial stands, whatever becomes of this.
      await ledger.commit([]).catch(() => undefined);
      return { denial, cut: count };
    });
  }

  /** Throws SpikeError `api_not_found`. */
  async lift(
    { spiffeId, by }: Pick<DenialWish, 'spiffeId' | 'by'>,
    asked: Mutation,
  ): Promise<{ readonly denial: DenialView; readonly coveredBy: string | undefined }> {
    const subject = parseSubject(spiffeId);
    const text = formatSubject(subject);
    return await this.#change(asked, async () => {
      const record = this.#book.get([text]);
      if (record === undefined || !isInForce(record, this.#now())) throw noSuch();
      const denial = this.#view(record);
      await this.#store(text, undefined, asked);
      this.#options.alerts.raise({
        kind: 'denial_changed',
        subject: text,
        message: 'an administrator lifted the denial of a SPIFFE ID, or of all below a path',
        detail: { by, reason: record.reason },
      });
      // One ID that is denied covers nothing below it.
      const isMeant = (known: Known): boolean => !subject.isPrefix || known.subject.isPrefix;
      return { denial, coveredBy: this.#find(subject.id, isMeant)?.record.subject };
    });
  }

  /** Those in force, newest first. */
  async list(): Promise<readonly DenialView[]> {
    await this.#settle();
    const now = this.#now();
    return this.#book
      .values()
      .filter((record) => isInForce(record, now))
      .toSorted((a, b) => b.at - a.at)
      .map((record) => this.#view(record));
  }

  /** Takes away, and records, those whose time is over, and keeps the stored time young while others wait for theirs. */
  async look(): Promise<void> {
    const run = async (): Promise<void> => {
      await this.#settle();
      const now = this.#now();
      const timed = this.#book.values().filter(({ until }) => until !== undefined);
      for (const record of timed) if (!isInForce(record, now)) await this.#end(record);
      const { time } = this.#options;
      if (timed.length > 0 && now - time.clock.highWater >= storeMs) await time.commit([]);
    };
    await this.#lock.run('denial', run, AbortSignal.timeout(lookMs));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #end(record: DenialRecord): Promise<void> {
    const { journal, history } = this.#options;
    const { subject } = record;
    const endedAt = toTime(this.#view(record).until ?? 0);
    const draft: AuditDraft = journal.draftNote('deny.expired', { subject, endedAt });
    await this.#store(subject, undefined, { record: draft });
    history.note('denial_ended', { by: 'time', subject });
    await journal.appendCommitted(draft);
  }

  async #store(text: string, value: DenialRecord | undefined, origin: Origin): Promise<void> {
    const prepared = this.#book.prepare([{ segments: [text], value }]);
    try {
      await this.#options.time.commit([prepared], origin);
    } finally {
      this.#unsure.add(text);
      // Where the outcome is unknown, memory is brought in step at once or before the next look.
      await this.#settle().catch(() => undefined);
    }
  }

  async #change<Result>(asked: Mutation, change: () => Promise<Result>): Promise<Result> {
    const run = async (): Promise<Result> => {
      await this.#settle();
      return await change();
    };
    return await this.#lock.run('denial', run, asked.signal);
  }

  async #settle(): Promise<void> {
    await this.#book.settle();
    for (const text of this.#unsure) this.#show(text);
    this.#unsure.clear();
  }

  /** Brings the tree in step with the book. */
  #show(text: string): void {
    const subject = parseSubject(text);
    const record = this.#book.get([text]);
    this.#tree.set(subject, record === undefined ? undefined : { subject, record });
  }

  #find(id: SpiffeId, isMeant: (known: Known) => boolean = () => true): Known | undefined {
    return this.#tree.find(id, (known) => isInForce(known.record, this.#now()) && isMeant(known));
  }

  #checkRoom(text: string): void {
    const { most = mostDenials } = this.#options;
    if (this.#book.size < most || this.#book.get([text]) !== undefined) return;
    throw new SpikeError(
      'limit_exceeded',
      `at most ${most} denials are kept: lift some (spike deny list), or deny all below a path`,
    );
  }

  #lengthOf({ until, ms }: DenialTerm): number | undefined {
    if (until !== undefined && ms !== undefined)
      throw new SpikeError('data_invalid_input', 'a denial ends at a time or after a while, not both');
    const length = until === undefined ? ms : until - this.#wall();
    if (length === undefined) return undefined;
    // Of what is no time, too.
    if (!(length > 0)) throw new SpikeError('data_invalid_input', 'the end of a denial has to be to come');
    if (length > longestDenialMs)
      throw new SpikeError('data_invalid_input', 'a denial ends within 366 days, or when somebody lifts it');
    return Math.ceil(length);
  }

  #view({ subject, reason, by, wall, until }: DenialRecord): DenialView {
    const { clock } = this.#options.time;
    return {
      spiffeId: subject,
      reason,
      by,
      since: wall,
      until: until === undefined ? undefined : clock.toWall(until),
    };
  }

  #now(): number {
    return this.#options.time.clock.now();
  }

  #wall(): number {
    return (this.#options.wall ?? Date.now)();
  }
}

function noSuch(): SpikeError {
  return new SpikeError('api_not_found', 'this is not denied, in this spelling (spike deny list)');
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
