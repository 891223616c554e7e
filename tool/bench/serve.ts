import type { Figure, Goal } from './figure.ts';
import type { LoadResult } from './load.ts';
import type { Load, Stage } from './stage.ts';

export interface ServeOptions {
  readonly bench: string;
  readonly load: Load;
  readonly cpuGoal?: Goal;
  readonly rateGoal?: Goal;
  /** For a comparison with the yardstick under the same load. */
  readonly ratioGoal?: Goal;
}

/** What a server does under load, per second and per second of its processor. */
export async function measureServing(stage: Stage, options: ServeOptions): Promise<readonly Figure[]> {
  const { bench, load, ratioGoal } = options;
  const bare = ratioGoal === undefined ? undefined : await stage.run(stage.bare, load);
  const nexus = await stage.run(stage.nexus, load);
  const figures = describe(bench, 'nexus', nexus, options);
  if (bare === undefined || ratioGoal === undefined) return figures;
  const ratio = cpuPerThousand(bare) / cpuPerThousand(nexus);
  return [
    ...figures,
    ...describe(bench, 'bare node:https', bare, {}),
    {
      bench,
      what: 'operations per CPU-second, nexus : bare',
      value: ratio,
      unit: '',
      goal: ratioGoal,
    },
  ];
}

function describe(
  bench: string,
  who: string,
  result: LoadResult,
  goals: Pick<ServeOptions, 'cpuGoal' | 'rateGoal'>,
): readonly Figure[] {
  const { cpuGoal, rateGoal } = goals;
  const figure = (what: string, value: number, unit: string, goal?: Goal): Figure => ({
    bench,
    what: `${who}: ${what}`,
    value,
    unit,
    ...(goal === undefined ? {} : { goal }),
  });
  return [
    figure('server CPU per 1,000', cpuPerThousand(result), 'CPU-s', cpuGoal),
    figure('rate', result.operations / result.seconds, '/s', rateGoal),
    figure('latency p50', result.p50Ms, 'ms'),
    figure('latency p99', result.p99Ms, 'ms'),
    figure('server busy', result.serverCpuSeconds / result.seconds, 'cores'),
    figure('generator busy', result.loadCpuSeconds / result.seconds, 'cores'),
  ];
}

function cpuPerThousand({ serverCpuSeconds, operations }: LoadResult): number {
  return (1_000 * serverCpuSeconds) / operations;
}
