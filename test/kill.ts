import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import type { Spike } from '@spike/sdk';
import { readAudit } from './audit.ts';
import { openCaller, openWorkload } from './caller.ts';
import { History } from './history.ts';
import { Random } from './random.ts';
import { System, until } from './system.ts';

const writerCount = 8;
const pathsPerWriter = 2;
const callMs = 3_000;

/**
 * Kills Nexus so many times while eight writers write, and then looks for writes that were lost or came back, in the
 * store and in the audit. The seed is printed; the moments of the scheduler are its own.
 */
export async function killUnderLoad(t: TestContext, kills: number): Promise<void> {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}, ${kills} kills`);
  await using system = await System.start();
  {
    await using superuser = await openCaller(system);
    await superuser.call.putPolicy({
      name: 'writer',
      spiffeidPattern: '^spiffe://spike\\.ist/workload/writer/.*$',
      pathPattern: 'kill/.*',
      permissions: ['read', 'write', 'list'],
    });
  }
  const writers = await Promise.all(
    Array.from({ length: writerCount }, async (_, index) => ({
      spike: await openWorkload(system, `/workload/writer/${index}`, { retry: false, deadlineMs: callMs }),
      histories: Array.from({ length: pathsPerWriter }, (_path, n) => new History(`kill/${index}/${n}`)),
    })),
  );
  const histories = writers.flatMap((writer) => writer.histories);
  const acknowledged = (): number => histories.reduce((sum, history) => sum + history.acknowledged, 0);
  const stop = new AbortController();
  const writing = Promise.all(
    writers.map(({ spike, histories: mine }) => writeUntil(stop.signal, spike, mine, random)),
  );
  try {
    await Promise.race([killOften(system, kills, random, acknowledged), writing]);
  } finally {
    stop.abort();
    await writing;
  }

  await system.ready();
  const lastVersions = new Map<string, number>();
  await Promise.all(
    writers.map(async ({ spike, histories: mine }) => {
      for (const history of mine) lastVersions.set(history.path, await history.check(spike));
      assert.deepEqual(
        (await spike.list()).filter((path) => mine.some((one) => one.path === path)),
        mine.map(({ path }) => path),
      );
      await spike[Symbol.asyncDispose]();
    }),
  );
  const unknown = histories.reduce((sum, history) => sum + history.unknown, 0);
  t.diagnostic(`${acknowledged()} writes acknowledged, the answers of ${unknown} lost`);
  const { verify } = await verifyStore(system);
  assert.deepEqual(verify?.problems, []);
  await system.stop();
  await assertAudit(system, histories, lastVersions);
}

async function writeUntil(
  signal: AbortSignal,
  spike: Spike,
  histories: readonly History[],
  random: Random,
): Promise<void> {
  while (!signal.aborted) {
    const history = histories[random.integer(0, histories.length - 1)];
    try {
      await history?.write(spike, random);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      // Nexus is gone: a client that asks again at once would only keep the machine busy.
      await delay(20);
    }
  }
}

async function killOften(
  system: System,
  kills: number,
  random: Random,
  acknowledged: () => number,
): Promise<void> {
  for (let killed = 0; killed < kills; killed++) {
    const pid = await until('there is a Nexus', async () => (await system.pidsOf('nexus'))[0]);
    // One in four dies while it starts, the others at work.
    if (killed === 0 || !random.oneIn(4)) {
      const goal = acknowledged() + random.integer(1, 300);
      await until('it works', () => acknowledged() >= goal);
    }
    await delay(random.integer(0, 150));
    process.kill(pid, 'SIGKILL');
    await until('it is dead', async () => !(await system.pidsOf('nexus')).includes(pid));
  }
  const goal = acknowledged() + writerCount;
  await until('it works after the last kill', () => acknowledged() >= goal);
}

async function verifyStore(system: System) {
  await using superuser = await openCaller(system);
  return await superuser.call.status({ verify: true });
}

/** Each version in the store has one record in the audit, and each record of a success has its version in the store. */
async function assertAudit(
  system: System,
  histories: readonly History[],
  lastVersions: ReadonlyMap<string, number>,
): Promise<void> {
  const lines = await readAudit(system.home);
  const count = (action: string, path: string): number =>
    lines.filter((line) => line.action === action && line.path === path && line.outcome === 'ok').length;
  for (const { path, deletions } of histories) {
    assert.equal(count('secret.put', path), lastVersions.get(path), `records of ${path}`);
    const deleted = count('secret.delete', path);
    assert(deleted >= deletions.least && deleted <= deletions.most, `deletions of ${path}: ${deleted}`);
  }
}
