import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { homeOf } from '@spike/config';
import { repository } from '../../test/system.ts';
import { quantile, type Figure, type Goal } from './figure.ts';
import type { LoadResult } from './load.ts';
import { openPreloaded } from './preloaded.ts';
import { Stage } from './stage.ts';

const load = { operation: 'get', connections: 8, fresh: false } as const;
const pairs = 10;

interface Run extends LoadResult {
  /** That the audit grew by, warming up included. */
  readonly bytes: number;
}

/**
 * Reads with the audit, and by a Nexus that is changed to write none: both at the same time and on the same core, since
 * a machine that others use is another one some seconds later. So only reads per CPU-second compare.
 */
export async function measureAudit(seconds: number): Promise<readonly Figure[]> {
  const preload = pathToFileURL(join(repository, 'tool', 'bench', 'no-audit.ts'));
  await using silent = await openPreloaded(() => preload);
  await using silentStage = await Stage.open({ home: silent.home });
  // Started in the same way, with the same flags of Node.
  await using system = await openPreloaded(() => new URL('data:text/javascript,'));
  await using stage = await Stage.open({ home: system.home });
  const audited: Run[] = [];
  const without: Run[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const [one, other] = await Promise.all([
      run(stage, system.home, seconds),
      run(silentStage, silent.home, seconds),
    ]);
    audited.push(one);
    without.push(other);
  }
  const goal = { kind: 'at least', value: 0.8 } as const;
  const byCpu = audited.map((one, pair) => cpu(without[pair]) / cpu(one));
  return [
    figure('bytes of audit for each read with it', median(audited.map(bytesEach)), ''),
    figure('bytes of audit for each read without it', median(without.map(bytesEach)), '', {
      kind: 'at most',
      value: 0,
    }),
    figure('server CPU per 1,000 with it', median(audited.map(cpu)), 'CPU-s'),
    figure('server CPU per 1,000 without it', median(without.map(cpu)), 'CPU-s'),
    figure(`reads per CPU-second, with : without, median of ${pairs} pairs`, median(byCpu), '', goal),
    figure('the same: over all of them', total(without) / total(audited), ''),
    figure('the same: the least and', Math.min(...byCpu), ''),
    figure('the same: the greatest of them', Math.max(...byCpu), ''),
  ];
}

async function run(stage: Stage, home: string, seconds: number): Promise<Run> {
  const before = await sizeOfAudit(home);
  const result = await stage.run(stage.nexus, { ...load, seconds });
  return { ...result, bytes: (await sizeOfAudit(home)) - before };
}

/** Of all of its lines. */
async function sizeOfAudit(home: string): Promise<number> {
  const { audit } = homeOf({ SPIKE_HOME: home });
  const names = (await readdir(audit)).filter((name) => name.endsWith('.jsonl'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(audit, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Per 1,000. */
const cpu = (run: LoadResult | undefined): number =>
  run === undefined ? Number.NaN : (1_000 * run.serverCpuSeconds) / run.operations;
const total = (runs: readonly Run[]): number =>
  runs.reduce((sum, run) => sum + run.serverCpuSeconds, 0) /
  runs.reduce((sum, run) => sum + run.operations, 0);
const bytesEach = ({ bytes, operations }: Run): number => bytes / operations;
const median = (values: readonly number[]): number => quantile(values, 0.5);

function figure(what: string, value: number, unit: string, goal?: Goal): Figure {
  return { bench: 'AUDIT', what, value, unit, ...(goal === undefined ? {} : { goal }) };
}
