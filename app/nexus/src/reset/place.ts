import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { isExecutable, thisProgram } from '@spike/host';
import type { ResetAddress, ResetAside } from '@spike/reset';
import type { NexusConfig } from '../config.ts';

/** Where the instance lies on this host, and what of it may still run. */
export interface ResetPlace {
  readonly dataDirectory: string;
  readonly anchorFile: string;
  /** What would keep a next instance from beginning, or is evidence of this one. */
  readonly aside: readonly ResetAside[];
  readonly journal: string;
  readonly pinned: boolean;
  readonly addresses: () => readonly ResetAddress[];
  readonly node: {
    readonly path: string;
    readonly sha256: () => Promise<string>;
    readonly holdsHelper: boolean;
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * The place of this Nexus; undefined for a store in memory, of which nothing outlives the process. `listening` are the
 * addresses that this process has got, which are known when it listens.
 */
export function placeOf(config: NexusConfig, listening: () => readonly Address[]): ResetPlace | undefined {
  if (config.store.kind !== 'sqlite') return undefined;
  const { file } = thisProgram();
  const keepers = config.keeperUrls.map(({ hostname, port }, index): ResetAddress => {
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    return { what: `Keeper ${index + 1}`, part: 'keeper', host, port: Number(port || 443) };
  });
  return {
    dataDirectory: config.store.directory,
    anchorFile: config.anchorFile,
    aside: [
      // Whatever a next instance writes, it writes into a log of its own.
      { what: 'audit directory', path: config.auditDirectory },
      // `npm start` makes no new root key while they lie there; a backup may need them.
      { what: 'recovery shares', path: config.recoveryDirectory },
      // The next instance shows one of its own.
      { what: 'init code', path: config.initCodeFile },
    ],
    journal: config.resetJournal,
    pinned: config.pinnedInstance !== undefined,
    addresses: () => [
      ...listening().map(({ host, port }): ResetAddress => ({
        what: 'Nexus',
        part: 'nexus',
        host: toReachable(host),
        port,
      })),
      ...keepers,
    ],
    node: { path: file, sha256: () => hashFile(file), holdsHelper: isExecutable() },
  };
}

/** Every address of this host is also the loopback. */
function toReachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
