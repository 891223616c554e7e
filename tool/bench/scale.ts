import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PolicyEngine } from '../../app/nexus/src/policy/engine.ts';
import { parsePolicy } from '../../app/nexus/src/policy/policy.ts';
import { quantile, type Figure } from './figure.ts';
import type { LoadResult } from './load.ts';
import { findParts, residentBytes } from './processor.ts';
import { filled, hot } from './range.ts';
import { Stage, type Load } from './stage.ts';

export interface ScaleOptions {
  /** Where filled stores are kept between runs. */
  readonly cache: string;
  readonly secrets: number;
  readonly policies: number;
  readonly seconds: number;
  /** How long the load of L8 lasts. */
  readonly soakSeconds: number;
}

const few = { secrets: 10_000, policies: 10 };
/** So little that in both stores nearly every row is read from SQLite. */
const smallCache = { SPIKE_NEXUS_ROW_CACHE_BYTES: '65536' };
const starts = 3;
const sampleMs = 1_000;
const megabyte = 1e6;
const decisions = 200_000;
/** Of measurements that are compared side by side. */
const turns = 11;

const gets = { operation: 'get', connections: 8, fresh: false, secrets: filled } as const;
const lists = { operation: 'list', connections: 8, fresh: false } as const;

async function open(options: ScaleOptions, filling: typeof few, env = {}): Promise<Stage> {
  const keep = join(options.cache, `${filling.secrets}-${filling.policies}`);
  await mkdir(keep, { recursive: true, mode: 0o700 });
  return await Stage.open({ keep, filling, env });
}

function cost({ serverCpuSeconds, operations }: LoadResult): number {
  return (1_000 * serverCpuSeconds) / operations;
}

const cpuFigure = (bench: string, what: string, value: number): Figure => ({
  bench,
  what: `${what}: server CPU per 1,000`,
  value,
  unit: 'CPU-s',
});

const ratioFigure = (bench: string, what: string, value: number, most?: number): Figure => ({
  bench,
  what,
  value,
  unit: '',
  ...(most === undefined ? {} : { goal: { kind: 'at most', value: most } }),
});

/** L4 and L6: what a get and a page of a list cost in a large store, against a small one. */
export async function measureSize(options: ScaleOptions): Promise<readonly Figure[]> {
  const { secrets, seconds } = options;
  const found: { readonly get: number; readonly list: number }[] = [];
  for (const filling of [few, { ...few, secrets }]) {
    await using stage = await open(options, filling, smallCache);
    const get = cost(await stage.run(stage.nexus, { ...gets, count: filling.secrets, seconds }));
    const list = cost(await stage.run(stage.nexus, { ...lists, seconds }));
    found.push({ get, list });
  }
  const [small, large] = found;
  if (small === undefined || large === undefined) return [];
  return [
    cpuFigure('L4', `get, ${few.secrets} secrets`, small.get),
    cpuFigure('L4', `get, ${secrets} secrets`, large.get),
    ratioFigure('L4', `get, ${secrets} : ${few.secrets}`, large.get / small.get, 1.2),
    cpuFigure('L6', `list of 100, ${few.secrets} secrets`, small.list),
    cpuFigure('L6', `list of 100, ${secrets} secrets`, large.list),
    ratioFigure('L6', `list of 100, ${secrets} : ${few.secrets}`, large.list / small.list, 1.2),
  ];
}

/** L5: what a get costs with many policies, against a few, and a decision alone. */
export async function measurePolicies(options: ScaleOptions): Promise<readonly Figure[]> {
  const { policies, seconds } = options;
  const found: number[] = [];
  for (const filling of [few, { ...few, policies }]) {
    await using stage = await open(options, filling);
    found.push(cost(await stage.run(stage.nexus, { ...gets, secrets: hot, seconds })));
  }
  const [small = Number.NaN, large = Number.NaN] = found;
  return [
    cpuFigure('L5', `get, ${few.policies} policies`, small),
    cpuFigure('L5', `get, ${policies} policies`, large),
    ratioFigure('L5', `get, ${policies} : ${few.policies} policies`, large / small, 1.2),
    {
      bench: 'L5',
      what: `a decision among ${policies} policies, in this process`,
      value: timeDecision(policies),
      unit: 'µs',
      goal: { kind: 'at most', value: 5 },
    },
  ];
}

/** Microseconds, with other peers and paths each time. */
function timeDecision(policies: number): number {
  const engine = new PolicyEngine();
  for (let index = 0; index < policies; index += 1) {
    const input = {
      name: `fill-${index}`,
      spiffePattern: `^spiffe://spike\\.ist/fill/workload-${index}$`,
      pathPattern: `^fill/${index}/.*$`,
      permissions: ['read', 'write', 'list'],
    };
    engine.put(parsePolicy(input, { createdAt: 0, updatedAt: 0 }));
  }
  const decide = (count: number): number => {
    const started = performance.now();
    for (let turn = 0; turn < count; turn += 1) {
      const index = Math.floor(Math.random() * policies);
      const peer = `spiffe://spike.ist/fill/workload-${index}`;
      if (!engine.decide(peer, 'read', `fill/${index}/${turn}`).allowed) throw new Error('it was refused');
    }
    return ((performance.now() - started) * 1_000) / count;
  };
  decide(decisions / 10);
  return decide(decisions);
}

/**
 * L5a: what a get costs after so many writes to the same hundred secrets, against a fresh store. Writing takes minutes,
 * in which the machine changes more than a store does, so both stand side by side and are measured in turns: before, after
 * the writes, and with a new process on each store, which tells the store from a process that has worked.
 */
export async function measureWrites(options: ScaleOptions): Promise<readonly Figure[]> {
  const writes = 100_000;
  await using fresh = await Stage.open();
  await using written = await Stage.open();
  const count = 100;
  const load = { ...gets, secrets: hot, count, seconds: options.seconds };
  const compare = async (): Promise<number> => {
    const ratios: number[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      const before = cost(await fresh.run(fresh.nexus, load));
      const after = cost(await written.run(written.nexus, load));
      ratios.push(after / before);
    }
    return quantile(ratios, 0.5);
  };
  const same = await compare();
  const put: Load = { operation: 'put', connections: 32, fresh: false, secrets: hot, count, seconds: 10 };
  for (let done = 0; done < writes;) done += (await written.run(written.nexus, put)).operations;
  const after = await compare();
  await fresh.restartNexus();
  await written.restartNexus();
  const restarted = await compare();
  return [
    ratioFigure('L5a', 'get, two fresh stores, one to the other', same),
    ratioFigure('L5a', `get, after ${writes} writes : fresh`, after, 1.1),
    ratioFigure('L5a', 'the same, each with a new process', restarted),
  ];
}

/** L7 and L8: how long Nexus takes to start on a large store, and what it and the Keepers take of memory, also over time. */
export async function measureStart(options: ScaleOptions): Promise<readonly Figure[]> {
  const { secrets, soakSeconds, seconds } = options;
  await using stage = await open(options, { ...few, secrets });
  const times: number[] = [];
  for (let run = 0; run < starts; run += 1) times.push(await stage.restartNexus());
  const idle = residentBytes(stage.nexus.pid);
  const most = await stage.run(stage.nexus, {
    ...gets,
    operation: 'mixed',
    count: secrets,
    seconds,
  });
  const loaded = residentBytes(stage.nexus.pid);
  const rate = most.operations / most.seconds / 2;
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentBytes(stage.nexus.pid)), sampleMs);
  try {
    await stage.run(stage.nexus, {
      ...gets,
      operation: 'mixed',
      count: secrets,
      rate,
      seconds: soakSeconds,
    });
  } finally {
    clearInterval(timer);
  }
  const quarter = Math.ceil(samples.length / 4);
  const second = quantile(samples.slice(quarter, 2 * quarter), 0.5);
  const last = quantile(samples.slice(-quarter), 0.5);
  const keepers = findParts(stage.context.launcherPid, 'keeper').map((pid) => residentBytes(pid));
  const memory = (what: string, bytes: number, goal?: number): Figure => ({
    bench: 'L8',
    what,
    value: bytes / megabyte,
    unit: 'MB',
    ...(goal === undefined ? {} : { goal: { kind: 'at most', value: goal } }),
  });
  return [
    {
      bench: 'L7',
      what: `start of Nexus on ${secrets} secrets until it is ready, median of ${starts}`,
      value: quantile(times, 0.5),
      unit: 'ms',
      goal: { kind: 'at most', value: 2_000 },
    },
    memory('resident after the start', idle),
    memory(`resident after ${seconds} s of full load, 9 gets for each put`, loaded, 200),
    memory(
      `resident at half load (${Math.round(rate)}/s), most of ${soakSeconds} s`,
      Math.max(...samples),
      200,
    ),
    memory('growth from the second to the last quarter of that time', last - second),
    memory('resident, the largest Keeper', Math.max(...keepers), 90),
  ];
}
