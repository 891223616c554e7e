import { authenticate, type Secret } from '@spike/crypto';
import type { Op } from '@spike/store';
import { damaged, decodeRecord, encodeRecord, isWhole, readNumber, readText } from '../service/record.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import {
  defaultRules,
  failAlone,
  failPair,
  isStale,
  noAttempts,
  type AttemptRecord,
  type AttemptRules,
} from './attempt-rule.ts';
import type { Prepared } from './record-book.ts';

/** Whose failures are counted: the pair of a name and the identity that it was tried from, and the name alone. */
export interface Attempted {
  /** Undefined where there is no room for one more pair: then the name alone is counted. */
  readonly pair: string | undefined;
  readonly alone: string;
  /** It was tried from the one identity that this name logs in from. */
  readonly isOwn: boolean;
}

export interface AttemptBookOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  /** Names that nobody has are counted in buckets that this key chooses; it stays its owner's. */
  readonly key: Secret;
  readonly rules?: AttemptRules;
  /** Pairs that are counted apart. */
  readonly mostPairs?: number;
}

export interface Failed {
  readonly prepared: Prepared;
  /** In the window, of the pair or else of the name. */
  readonly failures: number;
  /** This failure began a lockout. */
  readonly lockedNow: boolean;
}

interface Entry {
  readonly name: string;
  readonly record: AttemptRecord;
  readonly revision: number;
}

const book = 'login';
const buckets = 256;
const pageRows = 500;
const mostSwept = 200;

/**
 * Counts failed logins (admin.md B4). Memory changes in the turn in which an attempt is judged, and only to the stricter
 * before it is on disk, so that neither haste nor a store that fails gives anybody more guesses.
 */
export class AttemptBook {
  readonly rules: AttemptRules;
  readonly #vault: Vault;
  readonly #key: Secret;
  readonly #mostPairs: number;
  readonly #entries = new Map<string, Entry>();
  /** Count for nothing any more; their rows go with the next transaction. */
  readonly #stale = new Set<string>();

  private constructor(options: AttemptBookOptions) {
    this.rules = options.rules ?? defaultRules;
    this.#vault = options.vault;
    this.#key = options.key;
    this.#mostPairs = options.mostPairs ?? 2_000;
  }

  /** Throws SpikeError `store_integrity`. */
  static async load(options: AttemptBookOptions, signal?: AbortSignal): Promise<AttemptBook> {
    const attempts = new AttemptBook(options);
    const { vault, ledger } = options;
    let after: Uint8Array | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await ledger.list('attempt', vault.key('attempt', [book]), {
        limit: pageRows,
        ...(after === undefined ? {} : { after }),
      });
      for (const row of rows) {
        const { name, record } = decode(vault.open('attempt', row));
        if (Buffer.compare(attempts.#rowKey(name), row.key) !== 0)
          throw damaged('an attempt lies in the place of another');
        attempts.#entries.set(name, { name, record, revision: row.revision });
      }
      after = rows.at(-1)?.key;
      if (rows.length < pageRows) return attempts;
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * What counts for this try of a name that is bound to an identity, or that nobody has: those fall into few buckets, so
   * that names fill nothing up. For the pair of a name and its own identity there is room in any case.
   */
  attempted(user: string, boundTo: string | undefined, spiffeId: string, now: number): Attempted {
    if (boundTo === undefined) {
      const bucket = (authenticate(this.#key, 'attempt', user)[0] ?? 0) % buckets;
      return { pair: `?${bucket} ?`, alone: `?${bucket}`, isOwn: false };
    }
    const pair = `${user} ${spiffeId}`;
    const isOwn = spiffeId === boundTo;
    const isCounted = isOwn || this.#entries.has(pair) || this.#makeRoom(now);
    return { pair: isCounted ? pair : undefined, alone: user, isOwn };
  }

  /**
   * Until when nothing is admitted; what is at most now is no wait. What others do with the name makes them wait, and
   * not the one whose it is: whoever fails every 30 s would keep him out for good, and can guess nothing in his place.
   */
  waitsUntil({ pair, alone, isOwn }: Attempted): number {
    return isOwn ? this.#record(pair).until : Math.max(this.#record(pair).until, this.#record(alone).until);
  }

  /** Counts one failure, and gives what has to be written. A try during a delay counts for nothing, or others could be kept out by it. */
  fail(attempted: Attempted, now: number, counts: boolean): Failed {
    const { pair, alone } = attempted;
    const before = { pair: this.#record(pair), alone: this.#record(alone) };
    const after = counts
      ? { pair: failPair(before.pair, now, this.rules), alone: failAlone(before.alone, now, this.rules) }
      : before;
    // The same two rows in any case: how long it takes must not tell what happened.
    const ops = [...(pair === undefined ? [] : [this.#put(pair, after.pair)]), this.#put(alone, after.alone)];
    ops.push(...this.#sweepings());
    const lockedNow = counts && after.pair.locked;
    const failures = lockedNow
      ? this.rules.mostFailures
      : Math.max(after.pair.failures.length, after.alone.failures.length);
    return { prepared: { ops, apply: () => undefined, doubt: () => undefined }, failures, lockedNow };
  }

  /** A success: forgets the failures of the pair and of the name. What it answers goes into the same transaction. */
  clear({ pair, alone }: Attempted): Prepared {
    const names = [pair, alone].filter((name) => name !== undefined && this.#entries.has(name)) as string[];
    return {
      ops: [...names.map((name) => this.#delete(name)), ...this.#sweepings()],
      apply: () => {
        for (const name of names) this.#entries.delete(name);
      },
      doubt: () => undefined,
    };
  }

  /** The highest time in it: what was counted then is not in the future of any clock that comes after. */
  get newest(): number {
    return Math.max(0, ...[...this.#entries.values()].flatMap(({ record }) => record.failures));
  }

  #record(name: string | undefined): AttemptRecord {
    return (name === undefined ? undefined : this.#entries.get(name)?.record) ?? noAttempts;
  }

  #put(name: string, record: AttemptRecord): Op {
    const revision = (this.#entries.get(name)?.revision ?? 0) + 1;
    this.#entries.set(name, { name, record, revision });
    this.#stale.delete(name);
    const key = this.#rowKey(name);
    const row = this.#vault.seal(
      'attempt',
      key,
      { revision, version: 0, field: 0 },
      encodeRecord({ name, ...record }),
    );
    return { kind: 'put', table: 'attempt', row, expect: 'any' };
  }

  #makeRoom(now: number): boolean {
    if (this.#entries.size < this.#mostPairs) return true;
    for (const { name, record } of this.#entries.values()) {
      if (!isStale(record, now, this.rules)) continue;
      this.#entries.delete(name);
      this.#stale.add(name);
    }
    return this.#entries.size < this.#mostPairs;
  }

  #sweepings(): readonly Op[] {
    const names = [...this.#stale].slice(0, mostSwept);
    for (const name of names) this.#stale.delete(name);
    return names.map((name) => this.#delete(name));
  }

  #delete(name: string): Op {
    return { kind: 'delete', table: 'attempt', key: this.#rowKey(name), expect: 'any' };
  }

  #rowKey(name: string): Uint8Array {
    return this.#vault.key('attempt', [book, name]);
  }
}

function decode(bytes: Uint8Array): { name: string; record: AttemptRecord } {
  const record = decodeRecord(bytes);
  const { failures, locked } = record;
  if (!Array.isArray(failures) || !failures.every(isWhole) || typeof locked !== 'boolean')
    throw damaged('an attempt has no failures');
  return { name: readText(record, 'name'), record: { failures, until: readNumber(record, 'until'), locked } };
}
