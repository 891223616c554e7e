import { setTimeout as delay } from 'node:timers/promises';
import { toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Op, Table } from '@spike/store';
import type { Ledger, Vault } from '../vault/port.ts';

/** An unlocked store. */
export interface Place {
  readonly vault: Vault;
  readonly ledger: Ledger;
}

/** What keeps things in the store while it is unlocked, and in memory before that. */
export interface SealedPart {
  /** Throws `store_failed`. */
  attach(place: Place): Promise<void>;
  /** Writes what is still to be written, as far as the store takes it. Keys may be wiped afterwards. */
  detach(): Promise<void>;
}

export interface SealedBookOptions<Entry> {
  readonly table: Table;
  /** First segment of every key, so that one table can hold several books. */
  readonly label: string;
  readonly encode: (entry: Entry) => Uint8Array;
  /** Throws `store_integrity`. */
  readonly decode: (bytes: Uint8Array) => Entry;
  /** Second segment of the key: what a row opens to has to be in its own place. */
  readonly idOf: (entry: Entry) => string;
  readonly log: Log;
  /** Entries of one transaction, and how long the next one waits, so that a flood stays a few transactions. */
  readonly batch?: number;
  readonly pauseMs?: number;
}

const pageRows = 500;
const retryMs = 1_000;

/**
 * Small sealed records that are written behind: callers never wait, and a crash loses the last moment. For what the
 * audit holds, too, or what may be lost.
 */
export class SealedBook<Entry> {
  readonly #options: SealedBookOptions<Entry>;
  readonly #revisions = new Map<string, number>();
  readonly #dirty = new Map<string, Entry | undefined>();
  /** Of the transaction that is under way. */
  #taken: ReadonlySet<string> = new Set();
  #place: Place | undefined;
  #running: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #closing = new AbortController();

  constructor(options: SealedBookOptions<Entry>) {
    this.#options = options;
  }

  /** Answers what the store holds; records that do not open are counted and left where they are. */
  async attach(place: Place): Promise<{ readonly entries: readonly Entry[]; readonly damaged: number }> {
    const { table, label, decode, idOf } = this.#options;
    const { vault, ledger } = place;
    this.#revisions.clear();
    this.#closing = new AbortController();
    const entries: Entry[] = [];
    let damaged = 0;
    let after: Uint8Array | undefined;
    for (;;) {
      const cursor = after === undefined ? {} : { after };
      const rows = await ledger.list(table, vault.key(table, [label]), { limit: pageRows, ...cursor });
      for (const row of rows) {
        try {
          const entry = decode(vault.open(table, row));
          const id = idOf(entry);
          if (Buffer.compare(vault.key(table, [label, id]), row.key) !== 0) throw new TypeError('misplaced');
          this.#revisions.set(id, row.revision);
          entries.push(entry);
        } catch {
          damaged += 1;
        }
      }
      after = rows.at(-1)?.key;
      if (rows.length < pageRows) break;
    }
    this.#place = place;
    this.#start();
    return { entries, damaged };
  }

  /** Changes that are still to be written. */
  get waiting(): number {
    return this.#dirty.size;
  }

  put(entry: Entry): void {
    this.#dirty.set(this.#options.idOf(entry), entry);
    this.#start();
  }

  remove(id: string): void {
    // What never came to the store is no work for it: else those that come and go would pile up here.
    const isThere = this.#revisions.has(id) || this.#taken.has(id);
    if (!isThere) this.#dirty.delete(id);
    else this.#dirty.set(id, undefined);
    this.#start();
  }

  /** Whether everything is in the store; it is not when the book is closed before. */
  async flush(): Promise<boolean> {
    while (this.#place !== undefined && !this.#closing.signal.aborted) {
      this.#start();
      if (this.#writing === undefined && this.#dirty.size === 0) return true;
      await (this.#writing ?? this.#running);
    }
    return false;
  }

  async detach(): Promise<void> {
    // The round that waits goes on at once, and is the last.
    this.#closing.abort();
    await this.#running;
    while (
      this.#dirty.size > 0 &&
      (await this.#write()
        .then(() => true)
        .catch(() => false))
    );
    this.#place = undefined;
  }

  #start(): void {
    if (this.#place === undefined || this.#dirty.size === 0 || this.#closing.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      this.#start();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pauseMs = this.#options.pauseMs ?? 0;
    try {
      this.#writing = this.#write();
      await this.#writing;
    } catch (error) {
      const { code, message } = toSpikeError(error);
      this.#options.log.warn('book.failed', { label: this.#options.label, code, message });
      pauseMs = retryMs;
    } finally {
      this.#writing = undefined;
    }
    if (pauseMs > 0) await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }

  async #write(): Promise<void> {
    const place = this.#place;
    if (place === undefined) return;
    const { table, label, encode, batch = 200 } = this.#options;
    const { vault, ledger } = place;
    const taken = [...this.#dirty].slice(0, batch);
    const ops: Op[] = [];
    for (const [id, entry] of taken) {
      const key = vault.key(table, [label, id]);
      const revision = (this.#revisions.get(id) ?? 0) + 1;
      // Nobody else writes here, and after a failure of unknown outcome no revision could be expected.
      if (entry === undefined) {
        if (this.#revisions.has(id)) ops.push({ kind: 'delete', table, key, expect: 'any' });
        continue;
      }
      const row = vault.seal(table, key, { revision, version: 0, field: 0 }, encode(entry));
      ops.push({ kind: 'put', table, row, expect: 'any' });
    }
    // What is put again meanwhile goes with the next transaction.
    for (const [id] of taken) this.#dirty.delete(id);
    this.#taken = new Set(taken.map(([id]) => id));
    try {
      if (ops.length > 0) await ledger.commit(ops);
    } catch (error) {
      for (const [id, entry] of taken) if (!this.#dirty.has(id)) this.#dirty.set(id, entry);
      // Nobody may know whether they came there after all: what is removed of them is removed there, too.
      for (const [id] of taken) if (!this.#revisions.has(id)) this.#revisions.set(id, 0);
      this.#taken = new Set();
      throw error;
    }
    for (const [id, entry] of taken) {
      if (entry === undefined) this.#revisions.delete(id);
      else this.#revisions.set(id, (this.#revisions.get(id) ?? 0) + 1);
    }
    this.#taken = new Set();
  }
}
