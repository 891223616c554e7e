import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolePaths } from '@spike/contract';
import type { Parts } from './parts.ts';
import { until } from './system.ts';

/** Everybody in a system of parts but Nexus. */
export const others: readonly string[] = [
  ...Object.values(rolePaths).filter((path) => path !== rolePaths.nexus),
  '/workload/app',
];
export const everybody: readonly string[] = [...others, rolePaths.nexus];

export interface IdentityLine {
  readonly action: string;
  readonly time: string;
  readonly reason: string;
  readonly written?: string;
  readonly keys?: string;
}

/** Records of the audit that tell what became of the identity, oldest first. */
export async function identityLines(parts: Parts): Promise<readonly IdentityLine[]> {
  const directory = join(parts.home, 'home', 'nexus', 'audit');
  const names = (await readdir(directory)).filter((name) => /^\d+\.jsonl$/u.test(name)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts
    .join('')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as IdentityLine)
    .filter(({ action }) => action.startsWith('identity.'));
}

/** Takes the identity of Nexus away, for certain: it is another process image when this resolves. */
export async function withdraw(parts: Parts): Promise<void> {
  parts.agent.say(parts.agent.issue(others));
  await until('Nexus waits for its identity', async () => (await parts.nexus.state()) === 'starting');
}

export async function giveBack(parts: Parts): Promise<void> {
  parts.agent.say(parts.agent.issue(everybody));
  await until('Nexus serves', async () => (await parts.nexus.state()) === 'ready');
}

/** When this image of the process began, as it says itself. */
export async function startOf(parts: Parts): Promise<string> {
  const call = await parts.callNexus();
  return await until('Nexus tells its start', async () => {
    const status = await call.status({ verify: false }).catch(() => undefined);
    return status?.startedAt;
  });
}
