import { createHash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Environment } from './environment.ts';

/** Where the system on one machine keeps what it writes; every path absolute. */
export interface Home {
  readonly root: string;
  readonly contextFile: string;
  readonly launcherLock: string;
  readonly authority: string;
  /** 0700; the Workload API's socket lies in it. */
  readonly agentDirectory: string;
  readonly agentSocket: string;
  /** 0700; the authority's admin socket lies in it. */
  readonly adminDirectory: string;
  readonly adminSocket: string;
  readonly nexus: string;
  readonly audit: string;
  readonly anchorFile: string;
  /** Where Nexus shows the code that the first administrator is made with. */
  readonly initCodeFile: string;
  /** The session of whoever runs `spike` here; its directory is 0700 and is looked at before the file is read. */
  readonly tokenFile: string;
  readonly recovery: string;
}

/** Linux takes 108 bytes for a socket's path and macOS 104, the closing zero included. */
const maxSocketPath = 103;

export function homeOf(env: Environment): Home {
  const root = resolve(env['SPIKE_HOME'] || join(homedir(), '.spike'));
  const run = runtimeDirectory(root);
  return {
    root,
    contextFile: join(root, 'context.json'),
    launcherLock: join(root, 'launcher.pid'),
    authority: join(root, 'authority'),
    agentDirectory: join(run, 'agent'),
    agentSocket: join(run, 'agent', 'api.sock'),
    adminDirectory: join(run, 'admin'),
    adminSocket: join(run, 'admin', 'api.sock'),
    nexus: join(root, 'nexus'),
    audit: join(root, 'nexus', 'audit'),
    anchorFile: join(root, 'nexus', 'anchor.json'),
    initCodeFile: join(root, 'nexus', 'init-code'),
    tokenFile: join(root, 'pilot', 'token.json'),
    recovery: join(root, 'recovery'),
  };
}

/** Sockets lie in the home itself, or in a short directory of its own where the home's path is too long for them. */
function runtimeDirectory(root: string): string {
  const inside = join(root, 'run');
  if (Buffer.byteLength(join(inside, 'agent', 'api.sock')) <= maxSocketPath) return inside;
  const label = createHash('sha256').update(root).digest('hex').slice(0, 16);
  return join(tmpdir(), `spike-${process.getuid?.() ?? 'user'}-${label}`);
}
