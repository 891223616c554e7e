import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts the time of processes in ticks of 10 ms on every architecture that Node runs on (USER_HZ). */
const ticksPerSecond = 100;
/** Of util-linux; there may be none. */
const taskset = 'taskset';

/** Which cores the two sides of a measurement run on; both undefined where they can't be kept apart. */
export interface Cores {
  readonly server: number | undefined;
  readonly load: number | undefined;
}

/** The first two cores that this process may use, if there are two, and `taskset` to say so. */
export function chooseCores(): Cores {
  const none = { server: undefined, load: undefined };
  if (process.platform !== 'linux' || spawnSync(taskset, ['--version']).status !== 0) return none;
  const [server, load] = parseList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readProc('self/status'))?.[1] ?? '');
  return load === undefined ? none : { server, load };
}

/** `0-2,5` as 0, 1, 2, 5. */
function parseList(text: string): readonly number[] {
  return text.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number);
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

/** Keeps a process, with all threads that it has now and will have, on one core. */
export function pin(pid: number, core: number | undefined): void {
  if (core === undefined) return;
  const { status, stderr } = spawnSync(taskset, [
    '--all-tasks',
    '--pid',
    '--cpu-list',
    String(core),
    String(pid),
  ]);
  if (status !== 0)
    throw new Error(`process ${pid} could not be pinned to core ${core}: ${stderr.toString()}`);
}

/** Processor time that a process has used up to now, in all of its threads, user and kernel, in seconds (proc(5), fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const stat = readProc(`${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(readProc(`${pid}/status`))?.[1]);
}

/** How long a process has been running, in milliseconds, to a tick (proc(5), field 22). */
export function ageMs(pid: number): number {
  const stat = readProc(`${pid}/stat`);
  const started = Number(
    stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .at(19),
  );
  return 1_000 * (Number(readProc('uptime').split(' ')[0]) - started / ticksPerSecond);
}

/** The process that the launcher started as this part. */
export function findPart(launcherPid: number, part: string): number {
  const [found] = findParts(launcherPid, part);
  if (found === undefined) throw new Error(`no ${part} runs under process ${launcherPid}`);
  return found;
}

export function findParts(launcherPid: number, part: string): readonly number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readProc(`${name}/stat`);
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent === launcherPid && readProc(`${name}/cmdline`).includes(`app/${part}/`))
        found.push(Number(name));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

function readProc(path: string): string {
  return readFileSync(`/proc/${path}`, 'utf8');
}
