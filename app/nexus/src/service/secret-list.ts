import { setImmediate } from 'node:timers/promises';
import type { Ledger, Vault } from '../vault/port.ts';
import { decodeRecord, readText } from './record.ts';

export interface ListRequest {
  /** Only paths that begin with this text. */
  readonly prefix?: string;
  /** Most paths in the answer; all of them unless told. */
  readonly limit?: number;
  /** From the answer before, for the same peer and prefix. */
  readonly cursor?: string;
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
/** Rows that a request with a limit looks at, however few of them pass. */
const pageRows = 5_000;

/**
 * Paths at and below these directories that pass. Reads metadata only. Throws `store_integrity` when a row does not
 * open, `data_invalid_input` for a cursor of somebody else, and the signal's reason.
 */
export async function listPaths(
  scope: ListScope,
  request: ListRequest,
  signal?: AbortSignal,
): Promise<ListPage> {
  const { limit = Infinity, cursor } = request;
  // As paths do, a prefix may come with one slash in front.
  const prefix = request.prefix?.replace(/^\//, '') ?? '';
  const { vault, peer } = scope;
  const start = cursor === undefined ? undefined : vault.openCursor(cursor, peer, prefix);
  const keys: string[] = [];
  let examined = 0;
  for (const range of toRanges(scope, prefix)) {
    let after = start === undefined || Buffer.compare(start, range) < 0 ? undefined : start;
    // Ranges come in the order of their keys: what lies wholly before the cursor was read for an earlier page.
    if (after !== undefined && !isBelow(after, range)) continue;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await scope.ledger.list('secret', range, {
        limit: stepRows,
        ...(after === undefined ? {} : { after }),
      });
      for (const row of rows) {
        after = row.key;
        examined += 1;
        const path = readText(decodeRecord(vault.open('secret', row)), 'path');
        if (path.startsWith(prefix) && scope.passes(path)) keys.push(path);
        if (keys.length >= limit || (limit !== Infinity && examined >= pageRows)) {
          return { keys: keys.toSorted(), cursor: vault.sealCursor(after, peer, prefix) };
        }
      }
      if (rows.length < stepRows) break;
      await setImmediate();
    }
  }
  // Paths are ASCII (wire.md 4), for which the order of UTF-16 units is that of bytes.
  return { keys: keys.toSorted() };
}

/** The key prefixes to read, none within another, in the order of their bytes. */
function toRanges(scope: ListScope, prefix: string): readonly Uint8Array[] {
  const wanted = prefix.split('/').slice(0, -1);
  // No path has such a directory, and then none begins with the prefix.
  if (wanted.length >= 32 || wanted.includes('')) return [];
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
