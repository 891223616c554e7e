import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repository, until } from '../../test/system.ts';
import type { Figure } from './figure.ts';
import type { LoopDelay } from './loop-delay.ts';
import { openPreloaded } from './preloaded.ts';
import { Stage } from './stage.ts';

/** L11: how late the event loop of Nexus is while it takes as many writes as it can. */
export async function measureLoop(seconds: number): Promise<readonly Figure[]> {
  let file = '';
  await using system = await openPreloaded((directory) => {
    file = join(directory, 'delay.json');
    const preload = pathToFileURL(join(repository, 'tool', 'bench', 'loop-delay.ts'));
    preload.searchParams.set('file', file);
    return preload;
  });
  await using stage = await Stage.open({ home: system.home });
  const load = { operation: 'put', connections: 32, fresh: false } as const;
  await stage.run(stage.nexus, { ...load, seconds: 2 });
  process.kill(stage.nexus.pid, 'SIGUSR2');
  await stage.run(stage.nexus, { ...load, seconds });
  process.kill(stage.nexus.pid, 'SIGUSR2');
  const text = await until('the delays are written', () => readFile(file, 'utf8').catch(() => undefined));
  const { p50, p99, max } = JSON.parse(text) as LoopDelay;
  const what = 'event loop of Nexus under full write load';
  return [
    { bench: 'L11', what: `${what}: delay p50`, value: p50, unit: 'ms' },
    {
      bench: 'L11',
      what: `${what}: delay p99`,
      value: p99,
      unit: 'ms',
      goal: { kind: 'at most', value: 5 },
    },
    { bench: 'L11', what: `${what}: longest delay`, value: max, unit: 'ms' },
  ];
}
