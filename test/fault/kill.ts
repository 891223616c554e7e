import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { openCaller, type RoleClient } from '../caller.ts';
import { Random } from '../random.ts';
import { until, type System } from '../system.ts';
import { LoadClient, naming, Turnstile } from './client.ts';
import { buildJudge, judge } from './judge.ts';
import { moments, type Moment } from './moment.ts';
import { MutationCheck } from './mutation.ts';
import { lastVersions, Recorder } from './operation.ts';
import { Stage, type StageOptions } from './stage.ts';

const clients = 8;
/** Versions that a secret keeps unless Nexus is told otherwise. */
const kept = 10;
/** A moment that does not come in this time is given up for a kill at once. */
const momentMs = 4_000;

/** What was found to be wrong; all are empty for a system that keeps its promises. */
export interface Findings {
  /** Keys whose history no order explains. */
  readonly history: readonly string[];
  /** Where store and audit do not tell the same changes. */
  readonly changes: readonly string[];
  /** The store is refused or not whole, or Nexus does not come back. */
  readonly other: readonly string[];
}

/**
 * Kills Nexus at random and named moments under eight clients, compares store and audit after each kill, and judges the
 * history that the clients wrote down.
 */
export async function killAtMoments(
  t: TestContext,
  kills: number,
  options: StageOptions = {},
): Promise<Findings> {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}, ${kills} kills`);
  await using stage = await Stage.open(options);
  const judgePath = await buildJudge(stage.directory);
  await using system = await stage.start();
  await using writers = await openWriters(system);
  const { callers, superuser } = writers;
  const recorder = new Recorder();
  const check = new MutationCheck(system.home, naming);
  const turnstile = new Turnstile();
  const load = callers.map((caller, index) => new LoadClient(index, caller, recorder, random));
  const stop = new AbortController();
  const working = Promise.all([
    ...load.map((client) => client.run(turnstile, stop.signal)),
    changePolicies(superuser, turnstile, stop.signal),
  ]);
  const tally = new Map<string, number>();
  const different: string[] = [];
  const other: string[] = [];
  let changes = 0;
  try {
    for (let killed = 0; killed < kills; killed++) {
      turnstile.open();
      const name = await killOnce({ system, stage, random, recorder, moment: momentOf(killed, random) });
      tally.set(name, (tally.get(name) ?? 0) + 1);
      recorder.close();
      await turnstile.close();
      await serving(system);
      if (different.length > 0) continue;
      try {
        changes = await check.assertSame();
      } catch (thrown) {
        // What the clients saw is worth knowing, too.
        different.push(messageOf(thrown));
      }
    }
    turnstile.open();
    const goal = recorder.acknowledged + clients;
    await until('it works after the last kill', () => recorder.acknowledged >= goal);
  } catch (thrown) {
    other.push(messageOf(thrown));
  } finally {
    stop.abort();
    turnstile.open();
    await working;
  }
  recorder.close();
  if ((await system.health())?.ready === true) {
    await load[0]?.readAll(lastVersions(recorder.operations), kept);
    const { verify } = await superuser.call.status({ verify: true });
    other.push(...(verify?.problems ?? []));
  }
  for (const problem of [...different, ...other]) t.diagnostic(problem);
  const evidence = await mkdtemp(join(tmpdir(), 'spike-history-'));
  const verdict = await judge(judgePath, recorder.operations, { kept, directory: evidence });
  const isExpected = options.preload !== undefined;
  if (verdict.result === 'ok' || isExpected) await rm(evidence, { recursive: true });
  else t.diagnostic(`the history and pictures of it are in ${evidence}`);
  for (const [name, count] of tally) t.diagnostic(`${count} × ${name}`);
  t.diagnostic(
    `${recorder.acknowledged} changes acknowledged, ${verdict.unknown} answers lost; the audit tells ${changes} changes, ` +
      `the store holds the same; ${verdict.operations} operations on ${verdict.keys} keys judged`,
  );
  return { history: verdict.bad, changes: different, other };
}

export interface Writers extends AsyncDisposable {
  readonly superuser: RoleClient;
  readonly callers: readonly RoleClient[];
}

/** Workloads that may do everything on the keys of these tests, each with connections of its own. */
export async function openWriters(system: System): Promise<Writers> {
  await using stack = new AsyncDisposableStack();
  const superuser = stack.use(await openCaller(system));
  await superuser.call.putPolicy({
    name: 'writer',
    spiffeidPattern: '^spiffe://spike\\.ist/workload/fault/.*$',
    pathPattern: 'fault/.*',
    permissions: ['read', 'write', 'list'],
  });
  const callers: RoleClient[] = [];
  for (let index = 0; index < clients; index++) {
    callers.push(stack.use(await openCaller(system, `/workload/fault/${index}`)));
  }
  const owned = stack.move();
  return { superuser, callers, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Throws what is no finding. */
function messageOf(thrown: unknown): string {
  if (thrown instanceof assert.AssertionError) return thrown.message;
  throw thrown;
}

async function serving(system: System): Promise<void> {
  const state = await until('Nexus is ready, or refuses its store', async () => {
    const health = await system.health();
    return (health?.ready === true || health?.state === 'store_integrity') && health.state;
  });
  assert.notEqual(state, 'store_integrity', 'Nexus refuses its store');
}

/** Every other kill is at a named moment, all of them in turn. */
function momentOf(killed: number, random: Random): Moment | undefined {
  if (killed % 2 === 0) return undefined;
  // From a random one on, so that short runs see all of them in time.
  return moments[((killed - 1) / 2 + (random.seed % moments.length)) % moments.length];
}

interface KillOptions {
  readonly system: System;
  readonly stage: Stage;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly moment: Moment | undefined;
}

/** Answers what it was killed at. */
async function killOnce({ system, stage, random, recorder, moment }: KillOptions): Promise<string> {
  const { control } = stage;
  const pid = await pidOf(system);
  const goal = recorder.acknowledged + random.integer(1, 100);
  if (moment?.atStart !== true) {
    await until('it works', () => recorder.acknowledged >= goal || undefined);
  }
  if (moment === undefined) {
    await delay(random.integer(0, 100));
    await kill(system, pid);
    return 'at a random moment';
  }
  if (moment.atStart === true) {
    control.set({ ...moment.trap, at: random.integer(1, moment.most) });
    await kill(system, pid);
    // One of the next meets the moment, or gets past it.
    const state = await until('it starts or dies', async () => {
      if (control.fired > 0) return 'fired';
      return (await system.health())?.ready === true && 'passed';
    });
    control.clear();
    return state === 'fired' ? moment.name : 'at a random moment';
  }
  control.set({ ...moment.trap, at: random.integer(1, moment.most) });
  const end = performance.now() + momentMs;
  while (control.fired === 0 && performance.now() < end) await delay(5);
  control.clear();
  const fired = control.fired > 0;
  if (fired) await gone(system, pid);
  else await kill(system, pid);
  return fired ? moment.name : 'at a random moment';
}

async function pidOf(system: System): Promise<number> {
  return await until('there is a Nexus', async () => (await system.pidsOf('nexus'))[0]);
}

async function kill(system: System, pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // A trap that was set just before may have been faster.
    assert(error instanceof Error && 'code' in error && error.code === 'ESRCH', String(error));
  }
  await gone(system, pid);
}

async function gone(system: System, pid: number): Promise<void> {
  await until('it is dead', async () => !(await system.pidsOf('nexus')).includes(pid));
}

/** Changes one policy again and again, and makes and removes others. */
async function changePolicies(
  { call }: RoleClient,
  turnstile: Turnstile,
  signal: AbortSignal,
): Promise<void> {
  for (let count = 0; !signal.aborted; count++) {
    await turnstile.pass(async () => {
      const input = {
        spiffeidPattern: '^spiffe://spike\\.ist/nobody$',
        pathPattern: `nothing/${count}`,
        permissions: ['read' as const],
      };
      try {
        await call.putPolicy({ ...input, name: 'changing' });
        await call.putPolicy({ ...input, name: `passing-${count}` });
        await call.deletePolicy({ id: `passing-${count}` });
      } catch {
        // The next one tells as much.
      }
      await delay(50);
    });
  }
}
