import { setImmediate } from 'node:timers/promises';
import { mostSegments, tagBytes } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { maxKeyBytes, type Row } from '@spike/store';
import type { Ledger, Vault } from '../vault/port.ts';
import { decodeRecord, readText } from './record.ts';

export interface ListRequest {
  /** Only paths that begin with this text. */
  readonly prefix?: string;
  /** Most paths in the answer. Without one the answer is whole, or refused because it would be too long. */
  readonly limit?: number;
  /** From the answer before, for the same peer, prefix and depth. */
  readonly cursor?: string;
  /** False: one level below the prefix's directory; what lies deeper shows as a directory, which ends in a slash. */
  readonly recursive?: boolean;
}

export interface ListPage {
  /** In byte order within the page; pages follow each other in an order that means nothing. */
  readonly keys: readonly string[];
  /** Set where more may come, also behind a page that is short or empty. */
  readonly cursor?: string;
}

export interface ListScope {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly peer: string;
  /** Where to look, as segments; `[]` is everywhere. */
  readonly directories: readonly (readonly string[])[];
  readonly passes: (path: string) => boolean;
}

/** Rows that are opened in one go: about 2 ms, so that a list holds nobody else up. */
const stepRows = 100;
/** Rows of a subtree that are read and not needed when a level is listed; few, since most subtrees are skipped. */
const leastStepRows = 4;
/** Rows that a request with a limit reads, however few of them pass. */
const pageRows = 5_000;
/** Paths, and rows read for them, of an answer without a limit. */
const wholePaths = 10_000;
const wholeRows = 100_000;

/**
 * Paths at and below these directories that pass. Reads metadata only. Throws `store_integrity` when a row does not
 * open, `data_invalid_input` for a cursor of another list and for more than comes in one answer, and the signal's
 * reason.
 */
export async function listPaths(
  scope: ListScope,
  request: ListRequest,
  signal?: AbortSignal,
): Promise<ListPage> {
  const { limit, cursor, recursive = true } = request;
  const { vault, peer } = scope;
  // As paths do, a prefix may come with one slash in front.
  const prefix = request.prefix?.replace(/^\//, '') ?? '';
  const bound = `${recursive ? 'paths' : 'level'}:${prefix}`;
  const walk = new Walk(scope, prefix, recursive);
  if (cursor !== undefined) walk.position = vault.openCursor(cursor, peer, bound);
  const most = limit ?? wholePaths + 1;
  const mostRows = limit === undefined ? wholeRows : pageRows;
  for (const range of toRanges(scope, prefix)) {
    // Ranges come in the order of their keys: what lies wholly before the position was read, or skipped, before.
    while (walk.isBefore(range)) {
      signal?.throwIfAborted();
      const isDone = await walk.step(range, most);
      if (walk.keys.length >= most || walk.rows >= mostRows) {
        if (limit === undefined) throw tooLong(walk.keys.length >= most);
        const after = walk.position ?? range;
        return { keys: walk.keys.toSorted(), cursor: vault.sealCursor(after, peer, bound) };
      }
      if (isDone) break;
      await setImmediate();
    }
  }
  // Paths are ASCII (wire.md 4), for which the order of UTF-16 units is that of bytes.
  return { keys: walk.keys.toSorted() };
}

/** One way through the rows, in the order of their keys. */
class Walk {
  readonly keys: string[] = [];
  /** How many were read. */
  rows = 0;
  /** What is at or before it is done with. */
  position: Uint8Array | undefined;
  readonly #scope: ListScope;
  readonly #prefix: string;
  /** Segments of what a level shows; undefined where all that lies below is shown. */
  readonly #depth: number | undefined;
  #stepRows: number;

  constructor(scope: ListScope, prefix: string, recursive: boolean) {
    this.#scope = scope;
    this.#prefix = prefix;
    this.#depth = recursive ? undefined : prefix.split('/').length;
    this.#stepRows = recursive ? stepRows : leastStepRows;
  }

  /** Whether something in this range may still come. */
  isBefore(range: Uint8Array): boolean {
    const { position } = this;
    return position === undefined || Buffer.compare(position, range) < 0 || isBelow(position, range);
  }

  /** Reads some rows and takes what passes, up to so many keys in all. Answers whether the range is at its end. */
  async step(range: Uint8Array, most: number): Promise<boolean> {
    const { position } = this;
    const limit = this.#stepRows;
    const after = position === undefined || Buffer.compare(position, range) < 0 ? {} : { after: position };
    const rows = await this.#scope.ledger.list('secret', range, { limit, ...after });
    this.rows += rows.length;
    let opened = 0;
    for (const row of rows) {
      if (this.position !== undefined && Buffer.compare(row.key, this.position) <= 0) continue;
      opened += 1;
      this.#take(row);
      if (this.keys.length >= most) return false;
    }
    this.#stepRows = Math.min(stepRows, Math.max(leastStepRows, 2 * opened));
    return rows.length < limit;
  }

  #take(row: Row): void {
    const path = readText(decodeRecord(this.#scope.vault.open('secret', row)), 'path');
    this.position = row.key;
    if (this.#depth === undefined || row.key.byteLength <= this.#depth * tagBytes) {
      if (path.startsWith(this.#prefix) && this.#scope.passes(path)) this.keys.push(path);
      return;
    }
    const directory = `${path.split('/').slice(0, this.#depth).join('/')}/`;
    const isWanted = directory.startsWith(this.#prefix);
    // A directory shows when something in it may be listed, and says nothing of all else that is in it.
    if (isWanted && !this.#scope.passes(path)) return;
    if (isWanted) this.keys.push(directory);
    this.position = endOf(row.key.subarray(0, this.#depth * tagBytes));
  }
}

/** At or behind every key below this one. */
function endOf(subtree: Uint8Array): Uint8Array {
  const end = new Uint8Array(maxKeyBytes).fill(0xff);
  end.set(subtree);
  return end;
}

/** The key prefixes to read, none within another, in the order of their bytes. */
function toRanges(scope: ListScope, prefix: string): readonly Uint8Array[] {
  const wanted = prefix.split('/').slice(0, -1);
  // No path has such a directory, and then none begins with the prefix.
  if (wanted.length >= mostSegments || wanted.includes('')) return [];
  const ranges: Uint8Array[] = [];
  for (const directory of scope.directories) {
    const shared = Math.min(directory.length, wanted.length);
    if (!directory.slice(0, shared).every((segment, index) => segment === wanted[index])) continue;
    const narrower = directory.length > wanted.length ? directory : wanted;
    ranges.push(narrower.length === 0 ? new Uint8Array(0) : scope.vault.key('secret', narrower));
  }
  return ranges.toSorted((a, b) => Buffer.compare(a, b));
}

function isBelow(key: Uint8Array, range: Uint8Array): boolean {
  return key.byteLength >= range.byteLength && Buffer.compare(key.subarray(0, range.byteLength), range) === 0;
}

function tooLong(isManyPaths: boolean): SpikeError {
  const why = isManyPaths
    ? `the list is longer than the ${wholePaths} paths that come in one answer`
    : `the paths lie among more than ${wholeRows} others, which are not looked through for one answer`;
  const instead = 'ask for pages, with limit and cursor, or for less, with prefix';
  return new SpikeError('data_invalid_input', `${why}: ${instead}`);
}
