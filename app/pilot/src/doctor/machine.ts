import { lstat, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { readContext, type Context, type Home } from '@spike/config';
import type { Finding } from './finding.ts';

const MiB = 1024 * 1024;
const groupAndOthers = 0o077;

/** What is checked on this machine, without asking anybody. */
export async function checkMachine(home: Home): Promise<readonly Finding[]> {
  return [
    { check: 'node', outcome: 'ok', says: `${process.version}` },
    await checkCores(),
    await checkSwap(),
    await checkContext(home),
    await checkFiles(home),
    await checkSpace(home),
  ];
}

/** This command hardens itself as every part does, so its own limit tells what this system lets a part do. */
async function checkCores(): Promise<Finding> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => undefined);
  const soft = limits === undefined ? undefined : /^Max core file size\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined)
    return {
      check: 'core dumps',
      outcome: 'skipped',
      says: 'this system does not tell its limits in /proc',
      mend: 'see to it that core dumps are off: ulimit -c 0',
    };
  if (soft === '0') return { check: 'core dumps', outcome: 'ok', says: 'off for every part' };
  return {
    check: 'core dumps',
    outcome: 'bad',
    says: 'could not be turned off, and would hold keys and secrets',
    mend: 'run the parts under ulimit -c 0 (systemd: LimitCORE=0)',
  };
}

async function checkSwap(): Promise<Finding> {
  const swaps = await readFile('/proc/swaps', 'utf8').catch(() => '');
  const devices = swaps
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    // Compressed memory is memory.
    .filter((name) => name !== '' && !name.includes('/zram'));
  if (devices.length === 0) return { check: 'swap', outcome: 'ok', says: 'none' };
  return {
    check: 'swap',
    outcome: 'note',
    says: `on ${devices.join(', ')}: memory with secrets may be written there`,
    mend: 'turn it off with swapoff -a, or encrypt it with a key that is made at each start',
  };
}

async function checkContext(home: Home): Promise<Finding> {
  try {
    const context: Context | undefined = await readContext(home);
    if (context !== undefined) return { check: 'context', outcome: 'ok', says: home.contextFile };
    return {
      check: 'context',
      outcome: 'note',
      says: `there is no ${home.contextFile}: no system was started here`,
      mend: 'npm start, or set SPIKE_NEXUS_API_URL and SPIFFE_ENDPOINT_SOCKET',
    };
  } catch (error) {
    return {
      check: 'context',
      outcome: 'bad',
      says: error instanceof Error ? error.message : 'it cannot be read',
      mend: `stop the system, move ${home.contextFile} away, and start the system again`,
    };
  }
}

/** Files and directories that hold secrets, or decide about them, belong to nobody else. */
async function checkFiles(home: Home): Promise<Finding> {
  const paths = [
    home.root,
    home.contextFile,
    home.authority,
    home.agentDirectory,
    home.adminDirectory,
    home.nexus,
    join(home.nexus, 'data'),
    home.audit,
    home.anchorFile,
    home.recovery,
  ];
  const wrong: string[] = [];
  let looked = 0;
  for (const path of paths) {
    const stat = await lstat(path).catch(() => undefined);
    if (stat === undefined) continue;
    looked += 1;
    const isOurs = stat.uid === (process.getuid?.() ?? stat.uid) && (stat.mode & groupAndOthers) === 0;
    if (!isOurs || stat.isSymbolicLink()) wrong.push(path);
  }
  if (wrong.length === 0)
    return { check: 'files', outcome: 'ok', says: `${looked} below ${home.root} are ours alone` };
  return {
    check: 'files',
    outcome: 'bad',
    says: `others may read or write ${wrong.join(', ')}`,
    mend: `chmod go= ${wrong.map((path) => JSON.stringify(path)).join(' ')}; find out who did that`,
  };
}

async function checkSpace(home: Home): Promise<Finding> {
  const disk = await statfs(home.audit).catch(() => undefined);
  if (disk === undefined)
    return {
      check: 'audit space',
      outcome: 'skipped',
      says: `there is no ${home.audit} on this machine`,
      mend: 'run it on the machine of Nexus as well',
    };
  const free = Math.floor((disk.bavail * disk.bsize) / MiB);
  const says = `${free} MiB free for audit and store`;
  const mend = 'free some of the disk: without room for the audit nothing is served';
  if (free < 100) return { check: 'audit space', outcome: 'bad', says, mend };
  if (free < 1024) return { check: 'audit space', outcome: 'note', says, mend };
  return { check: 'audit space', outcome: 'ok', says };
}
