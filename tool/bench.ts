// npm run bench -- [NAMES…] [--seconds N] [--repeat N] [--json FILE] [--home DIR] [--secrets N] [--policies N] [--cache DIR]
// [--soak SECONDS]: what is asked for in doc/reference/performance.md, each figure with the conditions it was taken under.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, homedir, loadavg, release } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAudit } from './bench/audit.ts';
import { measureCommand } from './bench/command.ts';
import { formatTable, summarise, type Figure } from './bench/figure.ts';
import { measureFirstStart } from './bench/first-start.ts';
import { measureLock, measureRotation } from './bench/lock.ts';
import { measureLogin } from './bench/login.ts';
import { measureLoop } from './bench/loop.ts';
import { chooseCores } from './bench/processor.ts';
import { measurePolicies, measureSize, measureStart, measureWrites } from './bench/scale.ts';
import { measureServing, type ServeOptions } from './bench/serve.ts';
import { secretCount, Stage, valueBytes } from './bench/stage.ts';
import { root } from './step.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    repeat: { type: 'string', default: '1' },
    json: { type: 'string' },
    /** Of a system that runs already, such as one under a profiler. */
    home: { type: 'string' },
    /** In the large store of L4, L6, L7 and L8, and policies in that of L5. */
    secrets: { type: 'string', default: '1000000' },
    policies: { type: 'string', default: '10000' },
    /** Where filled stores stay for the next run; they are large. */
    cache: { type: 'string', default: join(homedir(), '.cache', 'spike-bench') },
    /** Of the half load of L8, in seconds. */
    soak: { type: 'string', default: '60' },
  },
});
const seconds = Number(values.seconds);
const repeat = Number(values.repeat);

const serving: readonly ServeOptions[] = [
  {
    bench: 'L1',
    load: { operation: 'get', connections: 8, fresh: false, seconds },
    cpuGoal: { kind: 'at most', value: 0.05 },
    ratioGoal: { kind: 'at least', value: 0.6 },
  },
  {
    bench: 'L3',
    load: { operation: 'get', connections: 8, fresh: true, seconds },
    ratioGoal: { kind: 'at least', value: 0.7 },
  },
  {
    bench: 'L2',
    load: { operation: 'put', connections: 32, fresh: false, seconds },
    cpuGoal: { kind: 'at most', value: 0.15 },
    rateGoal: { kind: 'at least', value: 6_000 },
  },
];
const usual = ['L1', 'L2', 'L3', 'L9', 'L10'];
const scale = {
  cache: resolve(values.cache),
  secrets: Number(values.secrets),
  policies: Number(values.policies),
  seconds,
  soakSeconds: Number(values.soak),
};
/** These take minutes, the first time many: they run when they are named. */
const large: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  L4: () => measureSize(scale),
  L5: () => measurePolicies(scale),
  L5A: () => measureWrites(scale),
  L7: () => measureStart(scale),
  L11: () => measureLoop(seconds),
  LOGIN: () => measureLogin(seconds),
  AUDIT: () => measureAudit(seconds),
  R4: measureLock,
  R6: measureRotation,
};
/** Measured together with another. */
const together: Readonly<Record<string, readonly string[]>> = {
  L6: ['L4'],
  L8: ['L7'],
  R5: ['R4'],
  LOCK: ['R4', 'R6'],
};
const names = [...usual, ...Object.keys(large)];
const wanted =
  positionals.length === 0
    ? usual
    : [...new Set(positionals.map((name) => name.toUpperCase()).flatMap((name) => together[name] ?? [name]))];
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(', ')}, only ${names.join(', ')}`);

const before = loadavg();
const runs: Figure[][] = [];
for (let run = 1; run <= repeat; run += 1) runs.push(await measureAll());
const summaries = summarise(runs);
const conditions = describeConditions();
process.stdout.write(`${formatTable(summaries)}\n`);
for (const [name, value] of Object.entries(conditions)) process.stdout.write(`${name}: ${value}\n`);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ conditions, figures: summaries }, null, 2)}\n`);
}

async function measureAll(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const served = serving.filter(({ bench }) => wanted.includes(bench));
  if (served.length > 0) {
    await using stage = await Stage.open(values.home === undefined ? {} : { home: values.home });
    for (const options of served) {
      figures.push(...(await attempt(options.bench, () => measureServing(stage, options))));
    }
  }
  for (const [name, measure] of Object.entries(large)) {
    if (wanted.includes(name)) figures.push(...(await attempt(name, measure)));
  }
  if (wanted.includes('L9')) figures.push(...(await attempt('L9', measureCommand)));
  if (wanted.includes('L10')) figures.push(...(await attempt('L10', measureFirstStart)));
  return figures;
}

/** One that fails has no figures, and does not cost those of the others. */
async function attempt(bench: string, measure: () => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  process.stderr.write(`measuring ${bench}\n`);
  try {
    return await measure();
  } catch (error) {
    process.stderr.write(
      `${bench} was not measured: ${error instanceof Error ? error.message : 'it failed'}\n`,
    );
    process.exitCode = 1;
    return [];
  }
}

function describeConditions(): Readonly<Record<string, string>> {
  const { server, load } = chooseCores();
  const git = (...args: readonly string[]): string =>
    spawnSync('git', args, { cwd: root }).stdout.toString().trim();
  const changed = git('status', '--porcelain') !== '';
  const average = (load: readonly number[]): string => (load[0] ?? Number.NaN).toFixed(1);
  return {
    commit: `${git('rev-parse', '--short', 'HEAD')}${changed ? ', with changes that are not committed' : ''}`,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${process.platform} ${release()}, Node ${process.version}`,
    'load of the machine': `${average(before)} before, ${average(loadavg())} after (1-minute average)`,
    cores:
      server === undefined
        ? 'not pinned: no taskset here, or fewer than two cores'
        : `L1 to L3: the server, all of its threads, on core ${server}, the generator on core ${load ?? '?'}; the rest of the system and L9, L10 wherever the kernel likes`,
    load: `L1 to L3: ${seconds} s after ${Math.min(2, seconds / 2)} s of warming up; ${secretCount} secrets with one value of ${valueBytes} bytes, chosen uniformly; a workload under one policy; SQLite with synchronous=FULL, audit on, mTLS, loopback`,
    runs: repeat === 1 ? 'one' : `median of ${repeat}, each on a fresh system`,
  };
}
