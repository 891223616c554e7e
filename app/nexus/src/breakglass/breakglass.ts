import { randomBytes } from 'node:crypto';
import { SpikeError, untilLater } from '@spike/error';
import { toBase32 } from '../admin/base32.ts';
import type { Asked } from '../admin/port.ts';
import { RecordBook, type Prepared } from '../admin/record-book.ts';
import { KeyedLock } from '../service/keyed-lock.ts';
import type { Origin } from '../vault/port.ts';
import { draftOf } from './journal.ts';
import type { Actor, BreakglassOptions } from './port.ts';
import {
  decodeBreakglass,
  encodeBreakglass,
  findUnrecorded,
  isLive,
  stateOf,
  type BreakglassRecord,
} from './record.ts';
import { readReport, type ReportPage } from './report.ts';
import { checkSecondPerson, isEmergencyAdmin } from './rule.ts';
import { endOf, viewOf, type BreakglassView } from './view.ts';

const lookMs = 10_000;
const mostLive = 20;
const mostEnded = 100;

/**
 * Access of an emergency_admin for a while (admin.md D): a second administrator approves, or nobody cancels in time. A
 * restart keeps what was asked for and approved; sessions end with it, so he logs in again.
 */
export class Breakglass implements Disposable {
  readonly #options: BreakglassOptions;
  readonly #book: RecordBook<BreakglassRecord>;
  readonly #lock = new KeyedLock();
  readonly #timer: NodeJS.Timeout;

  private constructor(options: BreakglassOptions, book: RecordBook<BreakglassRecord>) {
    this.#options = options;
    this.#book = book;
    this.#timer = setInterval(() => void this.look().catch(() => undefined), lookMs).unref();
  }

  /** Throws SpikeError `store_integrity`. */
  static async load(options: BreakglassOptions, signal?: AbortSignal): Promise<Breakglass> {
    const { vault, ledger } = options;
    const book = await RecordBook.load<BreakglassRecord>(
      {
        vault,
        ledger,
        table: 'setting',
        book: 'breakglass',
        segmentsOf: ({ id }) => [id],
        encode: encodeBreakglass,
        decode: decodeBreakglass,
      },
      signal,
    );
    return new Breakglass(options, book);
  }

  /** Whether one is open for this administrator: synchronously and from memory, at every request of his. */
  isOpen(administrator: string): boolean {
    const now = this.#now();
    return (
      this.#book
        .values()
        .some((record) => record.administrator === administrator && stateOf(record, now) === 'open') &&
      isEmergencyAdmin(this.#options.books.administrator(administrator))
    );
  }

  /** Throws SpikeError `entity_version_conflict` for one who has one already, and `limit_exceeded`. */
  async open(
    actor: Actor,
    { reason, ttlMs }: { readonly reason: string; readonly ttlMs: number },
    asked: Asked,
  ): Promise<BreakglassView> {
    return await this.#change(asked, async () => {
      const live = this.#live();
      const own = live.find(({ administrator }) => administrator === actor.name);
      if (own !== undefined)
        throw new SpikeError(
          'entity_version_conflict',
          `you have a break-glass already: ${own.id}; end it with spike breakglass close`,
        );
      if (live.length >= mostLive)
        throw new SpikeError(
          'limit_exceeded',
          `at most ${mostLive} break-glasses wait or are open`,
          untilLater,
        );
      const { audit, delayMs } = this.#options;
      const record: BreakglassRecord = {
        id: toBase32(randomBytes(10)),
        administrator: actor.name,
        reason,
        ttlMs,
        delayMs,
        askedAt: this.#now(),
        askedWall: this.#wall(),
        approval: undefined,
        ending: undefined,
        recorded: 'asked',
        auditSize: audit.size,
      };
      const view = await this.#store(record, asked, this.#prepareForgetting());
      this.#tell(
        record,
        'an emergency administrator asks for access: approve it, or cancel it before it opens by itself',
      );
      return view;
    });
  }

  /** Throws SpikeError `api_not_found`, and `entity_version_conflict` for who may not approve this one. */
  async approve(actor: Actor, id: string, asked: Asked): Promise<BreakglassView> {
    return await this.#change(asked, async () => {
      const record = this.#find(id);
      const { books } = this.#options;
      const now = this.#now();
      const state = stateOf(record, now);
      if (state !== 'waiting') throw conflict(`this break-glass waits for nobody: it is ${state}`);
      if (!isEmergencyAdmin(books.administrator(record.administrator)))
        throw conflict('the one whom it is for is no enabled emergency_admin any more');
      const approver = books.administrator(actor.name);
      if (approver === undefined) throw conflict('only an administrator approves');
      checkSecondPerson(record.administrator, approver, now);
      const approved = { ...record, approval: { by: actor.name, at: now }, recorded: 'opened' } as const;
      const view = await this.#store(approved, asked);
      this.#tell(approved, 'a break-glass is open: another administrator approved it');
      return view;
    });
  }

  /** Ends one that waits or is open. Throws like `approve`. */
  async cancel(actor: Actor, id: string, asked: Asked): Promise<BreakglassView> {
    return await this.#change(asked, async () => await this.#end(this.#find(id), 'cancelled', actor, asked));
  }

  /** Ends the own one. Throws SpikeError `api_not_found` where there is none. */
  async close(actor: Actor, asked: Asked): Promise<BreakglassView> {
    return await this.#change(asked, async () => {
      const own = this.#live().find(({ administrator }) => administrator === actor.name);
      if (own === undefined)
        throw new SpikeError('api_not_found', 'you have no break-glass that waits or is open');
      return await this.#end(own, 'closed', actor, asked);
    });
  }

  /** Newest first; an emergency_admin sees his own. */
  async list(actor: Actor): Promise<readonly BreakglassView[]> {
    await this.#book.settle();
    return this.#seenBy(actor).map((record) => this.#view(record));
  }

  /** What he did from the asking on. Throws SpikeError `api_not_found`. */
  async report(
    actor: Actor,
    { id, from }: { readonly id: string | undefined; readonly from: number | undefined },
    signal: AbortSignal,
  ): Promise<ReportPage & { readonly breakglass: BreakglassView }> {
    await this.#book.settle();
    const record = this.#seenBy(actor).find((one) => id === undefined || one.id === id);
    if (record === undefined) throw noSuch();
    const { audit, books } = this.#options;
    const question = {
      administrator: record.administrator,
      from: Math.max(from ?? 0, record.auditSize),
      until: endOf(record, books.clock),
    };
    const page = await readReport(audit, question, signal);
    return { ...page, breakglass: this.#view(record) };
  }

  /**
   * Records what came by time alone, once, however often Nexus was stopped in between: those that opened because nobody
   * cancelled them, and those that came to their end. Throws what the ledger throws; the next look tries again.
   */
  async look(): Promise<void> {
    await this.#lock.run(
      'breakglass',
      async () => {
        await this.#book.settle();
        for (const { id } of this.#book.values()) await this.#recordTime(id);
      },
      AbortSignal.timeout(lookMs),
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #recordTime(id: string): Promise<void> {
    for (;;) {
      const record = this.#find(id);
      const found = findUnrecorded(record, this.#now());
      if (found === undefined) return;
      // First, since it is urgent, and repeated alerts are one.
      if (found === 'opened') this.#tell(record, 'a break-glass is open: nobody cancelled it in time');
      const { journal, history, books } = this.#options;
      const draft = draftOf(record, found, { journal, clock: books.clock });
      await this.#store({ ...record, recorded: found }, { record: draft });
      history.note(found === 'opened' ? 'breakglass_opened' : 'breakglass_closed', {
        by: 'time',
        subject: record.administrator,
      });
      await journal.appendCommitted(draft);
    }
  }

  async #end(
    record: BreakglassRecord,
    kind: 'cancelled' | 'closed',
    actor: Actor,
    asked: Asked,
  ): Promise<BreakglassView> {
    const now = this.#now();
    if (!isLive(record, now)) throw conflict(`this break-glass is ${stateOf(record, now)} already`);
    return await this.#store(
      { ...record, ending: { kind, by: actor.name, at: now, wall: this.#wall() } },
      asked,
    );
  }

  async #store(
    record: BreakglassRecord,
    origin: Origin,
    more: readonly Prepared[] = [],
  ): Promise<BreakglassView> {
    const { books } = this.#options;
    const prepared = this.#book.prepare([{ segments: [record.id], value: record }]);
    try {
      await books.commit([prepared, ...more], origin);
    } finally {
      // Where the outcome is unknown, memory is brought in step at once or before the next look.
      await this.#book.settle().catch(() => undefined);
    }
    return this.#view(record);
  }

  /** The oldest that ended go when there are too many. */
  #prepareForgetting(): readonly Prepared[] {
    const now = this.#now();
    const ended = this.#newestFirst().filter((record) => !isLive(record, now));
    const gone = ended.slice(mostEnded - 1);
    return gone.length === 0
      ? []
      : [this.#book.prepare(gone.map(({ id }) => ({ segments: [id], value: undefined })))];
  }

  async #change<Result>(asked: Asked, change: () => Promise<Result>): Promise<Result> {
    const run = async (): Promise<Result> => {
      await this.#options.books.settle();
      await this.#book.settle();
      return await change();
    };
    return await this.#lock.run('breakglass', run, asked.signal);
  }

  #find(id: string): BreakglassRecord {
    const record = this.#book.get([id]);
    if (record === undefined) throw noSuch();
    return record;
  }

  #seenBy({ name, role }: Actor): readonly BreakglassRecord[] {
    const all = this.#newestFirst();
    return role === 'emergency_admin' ? all.filter(({ administrator }) => administrator === name) : all;
  }

  #newestFirst(): readonly BreakglassRecord[] {
    return this.#book.values().toSorted((a, b) => b.askedAt - a.askedAt);
  }

  #live(): readonly BreakglassRecord[] {
    const now = this.#now();
    return this.#book.values().filter((record) => isLive(record, now));
  }

  #tell({ id, administrator, reason, ttlMs }: BreakglassRecord, message: string): void {
    this.#options.alerts.raise({
      kind: 'breakglass_opened',
      subject: administrator,
      message,
      detail: { id, reason, minutes: Math.ceil(ttlMs / 60_000) },
    });
  }

  #view(record: BreakglassRecord): BreakglassView {
    return viewOf(record, this.#options.books.clock);
  }

  #now(): number {
    return this.#options.books.clock.now();
  }

  #wall(): number {
    return (this.#options.wall ?? Date.now)();
  }
}

function conflict(message: string): SpikeError {
  return new SpikeError('entity_version_conflict', message);
}

function noSuch(): SpikeError {
  return new SpikeError('api_not_found', 'there is no such break-glass (spike breakglass list)');
}
