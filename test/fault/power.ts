import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { lastingProblems, openCaller } from '../caller.ts';
import { Random } from '../random.ts';
import { System, until } from '../system.ts';
import { LoadClient, naming, Turnstile } from './client.ts';
import { Journal, writeFiles, type Mercy } from './journal.ts';
import { buildJudge, judge } from './judge.ts';
import { MutationCheck } from './mutation.ts';
import { cutHistory, lastVersions, Recorder, type Operation } from './operation.ts';
import { openWriters } from './kill.ts';
import { Stage, type StageOptions } from './stage.ts';

const kept = 10;
const changes = 600;
/** A slow disk, or a machine with other things to do. */
const workMs = 300_000;

/**
 * Lets eight clients work on a whole system, and then cuts its power at so many moments of that work: a system is started
 * on what would have been left, and has to explain all that was answered until then. Answers what is wrong.
 */
export async function cutSystem(
  t: TestContext,
  cuts: number,
  mercies: readonly Mercy[],
  options: StageOptions = {},
): Promise<readonly string[]> {
  const random = new Random();
  await using stage = await Stage.open(options);
  const judgePath = await buildJudge(stage.directory);
  stage.control.recording = true;
  const { operations, from } = await work(stage, random);
  const journal = await Journal.read(stage.journal);
  const moments = journal.moments.filter((moment) => moment > from);
  t.diagnostic(`seed ${random.seed}, ${operations.length} operations, ${moments.length} changes and syncs`);
  const wrong: string[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    const moment = moments[random.integer(0, moments.length - 1)] ?? 0;
    const mercy = mercies[cut % mercies.length] ?? 'nothing';
    const home = join(stage.directory, `cut-${cut}`);
    await cp(stage.home, home, {
      recursive: true,
      filter: (path) =>
        !path.startsWith(join(stage.home, 'nexus')) && !path.startsWith(join(stage.home, 'run')),
    });
    await writeFiles(home, journal.cut(moment, mercy, random));
    const found = await lookAt(home, judgePath, cutHistory(operations, moment));
    wrong.push(...found.map((problem) => `cut ${cut} at ${moment} that left ${mercy}: ${problem}`));
  }
  return wrong;
}

/** What clients were told, and the moment from which on the system was up. */
async function work(
  stage: Stage,
  random: Random,
): Promise<{ readonly operations: readonly Operation[]; readonly from: number }> {
  await using system = await stage.start();
  await using writers = await openWriters(system);
  const from = stage.control.recorded;
  const recorder = new Recorder(() => stage.control.recorded);
  const turnstile = new Turnstile();
  const stop = new AbortController();
  const load = writers.callers.map((caller, index) => new LoadClient(index, caller, recorder, random));
  const working = Promise.all(load.map((client) => client.run(turnstile, stop.signal)));
  turnstile.open();
  try {
    await until('enough was done', () => recorder.acknowledged > changes, workMs);
    await system.kill();
  } finally {
    stop.abort();
    await working;
  }
  recorder.close();
  return { operations: recorder.operations, from };
}

async function lookAt(
  home: string,
  judgePath: string,
  history: readonly Operation[],
): Promise<readonly string[]> {
  await using system = await System.start({ home });
  const state = await until('Nexus is ready, or refuses its store', async () => {
    const health = await system.health();
    return (health?.ready === true || health?.state.startsWith('store_')) && health.state;
  });
  if (state.startsWith('store_')) return [`Nexus says ${state}`];
  const wrong: string[] = [];
  await new MutationCheck(system.home, naming).assertSame().catch((error: unknown) => {
    assert(error instanceof assert.AssertionError, String(error));
    wrong.push(error.message);
  });
  const recorder = new Recorder();
  {
    await using superuser = await openCaller(system);
    const { verify } = await superuser.call.status({ verify: true });
    wrong.push(...(verify?.problems ?? []), ...(await lastingProblems(superuser)));
    await new LoadClient(0, superuser, recorder, new Random()).readAll(lastVersions(history), kept);
  }
  const evidence = await mkdtemp(join(tmpdir(), 'spike-history-'));
  const verdict = await judge(judgePath, [...history, ...recorder.operations], { kept, directory: evidence });
  await rm(evidence, { recursive: true });
  return [...wrong, ...verdict.bad];
}
