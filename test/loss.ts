import assert from 'node:assert/strict';
import { Polynomial, RootKey } from '@spike/crypto';
import { formatShare } from '@spike/recovery';
import type { Parts } from './parts.ts';
import { until, type System } from './system.ts';

/** Kills everything that ever held the root key, at once, and waits until others run in their place. */
export async function killKeyHolders(system: System): Promise<void> {
  const pids = [...(await system.pidsOf('keeper')), ...(await system.pidsOf('nexus'))];
  assert.equal(pids.length, 4);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('others run in their place', async () => {
    const now = [...(await system.pidsOf('keeper')), ...(await system.pidsOf('nexus'))];
    return now.length === 4 && now.every((pid) => !pids.includes(pid));
  });
}

/** A recovery share that has the form of one and opens nothing here. */
export function shareOfAnotherKey(id: number): string {
  using rootKey = RootKey.generate();
  using share = Polynomial.random(rootKey, 2).share(id);
  return formatShare({ id, value: share.value.expose((value) => [...value]) });
}

/**
 * Kills the first two Keepers while Nexus lives, gives one of them back, has Nexus come back with that one and the third,
 * and gives the other back. `check` is asked while two are gone, and after Nexus came back.
 */
export async function loseKeepers(
  parts: Parts,
  [first, second, third]: readonly [number, number, number],
  check: () => Promise<void>,
): Promise<void> {
  await parts.keeper(first).end('SIGKILL');
  await parts.keeper(second).end('SIGKILL');
  await parts.reachHolding(third);
  await check();
  await parts.startKeeper(first);
  await parts.reachHolding(...[first, third].toSorted((a, b) => a - b));
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await check();
  await parts.startKeeper(second);
  await parts.reachHolding(1, 2, 3);
}
