import { setImmediate } from 'node:timers/promises';
import type { Ledger, Vault } from '../vault/port.ts';
import { decodeRecord, readText } from './record.ts';

/** Rows that are opened in one go: about 2 ms, so that a list holds nobody else up. */
const pageRows = 100;

/**
 * The paths of all secrets at and below these directories that pass, in byte order. Reads metadata only, a page at a
 * time. Throws `store_integrity` when a row does not open, and the signal's reason.
 */
export async function listPaths(
  ports: { readonly vault: Vault; readonly ledger: Ledger },
  directories: readonly (readonly string[])[],
  passes: (path: string) => boolean,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const { vault, ledger } = ports;
  const paths: string[] = [];
  for (const directory of directories) {
    const prefix = directory.length === 0 ? new Uint8Array(0) : vault.key('secret', directory);
    for (let after: Uint8Array | undefined; ;) {
      signal?.throwIfAborted();
      const rows = await ledger.list('secret', prefix, {
        limit: pageRows,
        ...(after === undefined ? {} : { after }),
      });
      for (const row of rows) {
        const path = readText(decodeRecord(vault.open('secret', row)), 'path');
        if (passes(path)) paths.push(path);
      }
      after = rows.at(-1)?.key;
      if (rows.length < pageRows) break;
      await setImmediate();
    }
  }
  // Paths are ASCII (wire.md 4), for which the order of UTF-16 units is that of bytes.
  return paths.toSorted();
}
