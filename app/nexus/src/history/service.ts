import type { Log } from '@spike/log';
import { SealedBook, type Place, type SealedPart } from '../book/sealed-book.ts';
import type { Spool } from '../book/spool.ts';
import { damaged, decodeRecord, encodeRecord, isRecord, readNumber } from '../service/record.ts';
import { historyKinds, type HistoryDetail, type HistoryKind, type HistoryPort } from './port.ts';

/** One change of the state. */
export interface HistoryEntry {
  readonly id: number;
  readonly kind: HistoryKind;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly detail: HistoryDetail;
}

export interface HistoryServiceOptions {
  /** Undefined for a store that does not outlive this process. */
  readonly spool: Spool | undefined;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly most?: number;
}

const mostEntries = 1_000;
const mostEarly = 100;

/** The changes of the state, sealed; beyond the bound the oldest go, but never the two that say how it began. */
export class HistoryService implements HistoryPort, SealedPart {
  readonly #options: HistoryServiceOptions;
  readonly #sealed: SealedBook<HistoryEntry>;
  readonly #now: () => number;
  readonly #most: number;
  #entries: HistoryEntry[] = [];
  /** Of the time without a key, oldest first. */
  #early: Omit<HistoryEntry, 'id'>[] = [];
  #attached = false;

  constructor(options: HistoryServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#most = options.most ?? mostEntries;
    this.#sealed = new SealedBook<HistoryEntry>({
      table: 'history',
      label: 'history',
      encode: (entry) => encodeRecord(entry),
      decode: decodeEntry,
      idOf: ({ id }) => String(id),
      log: options.log,
    });
    for (const { type, kind, at } of options.spool?.found ?? [])
      if (type === 'history' && isHistoryKind(kind)) this.#early.push({ kind, at, detail: {} });
  }

  note(kind: HistoryKind, detail: HistoryDetail = {}): void {
    const at = this.#now();
    // The process may be gone before the store has it.
    if (!this.#attached || kind === 'withdrawn') this.#options.spool?.add({ type: 'history', kind, at });
    if (this.#attached) this.#keep({ kind, at, detail });
    else if (this.#early.length < mostEarly) this.#early.push({ kind, at, detail });
  }

  /** Newest first. */
  list(limit = mostEntries): readonly HistoryEntry[] {
    return this.#entries.toSorted((a, b) => b.id - a.id).slice(0, limit);
  }

  async attach(place: Place): Promise<void> {
    const { entries } = await this.#sealed.attach(place);
    this.#entries = entries.toSorted((a, b) => a.id - b.id);
    this.#attached = true;
    for (const early of this.#early.splice(0)) {
      // It reached the store and the spool before the process that noted it was gone.
      const isKnown = this.#entries.some(({ kind, at }) => kind === early.kind && at === early.at);
      if (!isKnown) this.#keep(early);
    }
    void this.#forgetSpool();
  }

  async detach(): Promise<void> {
    await this.#sealed.detach();
    this.#attached = false;
  }

  async flush(): Promise<void> {
    await this.#sealed.flush();
  }

  async #forgetSpool(): Promise<void> {
    if (await this.#sealed.flush()) this.#options.spool?.forget('history');
  }

  #keep(entry: Omit<HistoryEntry, 'id'>): void {
    const id = (this.#entries.at(-1)?.id ?? 0) + 1;
    this.#entries.push({ id, ...entry });
    this.#sealed.put({ id, ...entry });
    while (this.#entries.length > this.#most) {
      const at = this.#entries.findIndex(({ kind }) => kind !== 'bootstrapped' && kind !== 'initialised');
      const [gone] = this.#entries.splice(Math.max(0, at), 1);
      if (gone !== undefined) this.#sealed.remove(String(gone.id));
    }
  }
}

/** Throws `store_integrity`. */
function decodeEntry(bytes: Uint8Array): HistoryEntry {
  const record = decodeRecord(bytes);
  const { kind, detail } = record;
  if (!isHistoryKind(kind))
    throw damaged('an entry of the history is of a kind that this release does not know');
  const plain = Object.entries(isRecord(detail) ? detail : {}).filter(
    (entry): entry is [string, string | number] =>
      typeof entry[1] === 'string' || typeof entry[1] === 'number',
  );
  return {
    id: readNumber(record, 'id'),
    kind,
    at: readNumber(record, 'at'),
    detail: Object.fromEntries(plain),
  };
}

function isHistoryKind(value: unknown): value is HistoryKind {
  return typeof value === 'string' && Object.hasOwn(historyKinds, value);
}
