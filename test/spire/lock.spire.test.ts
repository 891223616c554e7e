import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@spike/sdk';
import { until } from '../system.ts';
import { Installation } from './installation.ts';
import { Load } from './load.ts';
import type { Pace } from './server.ts';
import { monotonicMs } from './witness.ts';

/**
 * Counted from what the agent says, since SPIRE's own delay is not ours. The way back starts a process and needs most of
 * the machine, so its quickest round counts: a machine that is busy makes it longer and never shorter.
 */
const stopMs = 1_000;
const returnMs = 3_000;

interface Round {
  /** From the command to what the agent says; from that to the last answer of Nexus. */
  readonly deniedMs: number;
  readonly stoppedMs: number;
  /** From the command to what the agent says; from that to the first answer of Nexus. */
  readonly grantedMs: number;
  readonly backMs: number;
}

for (const [pace, count] of [
  ['fast', 5],
  ['default', 3],
] as const) {
  void test(`deleting the entry of Nexus locks it, and creating it again opens it (${pace} SPIRE)`, async (context) => {
    const rounds = await lockAndReturn(pace, count);
    for (const round of rounds) context.diagnostic(describe(pace, round));
    const median = medianOf(rounds);
    context.diagnostic(`median: ${describe(pace, median)}`);
    assert.ok(median.stoppedMs <= stopMs, `Nexus stopped ${median.stoppedMs} ms after the agent denied it`);
    const backMs = Math.min(...rounds.map((round) => round.backMs));
    assert.ok(backMs <= returnMs, `Nexus was back ${backMs} ms after the agent let it`);
  });
}

async function lockAndReturn(pace: Pace, count: number): Promise<readonly Round[]> {
  await using installation = await Installation.start({ pace });
  const { nexus, context } = installation;
  await installation.mustSpike(['secret', 'put', 'lock/a', 'word=open']);
  await installation.allow('read', '^lock/.*');
  await using witness = await installation.startWitness('nexus');
  await using spike = await connect({ env: {}, context, retry: false });
  await using load = Load.start(async (deadlineMs) => {
    const secret = await spike.get('lock/a', { deadlineMs });
    assert.equal(secret.field('word').expose(), 'open');
  });
  const { pid } = nexus;
  const rounds: Round[] = [];
  while (rounds.length < count) {
    await load.succeeds(monotonicMs());
    const deletedMs = monotonicMs();
    await installation.withdraw('nexus');
    const denied = await witness.sees('denied', deletedMs);
    const lastMs = await load.ends();
    // The fresh process waits for its identity, as it does for as long as the lock lasts.
    await until('Nexus waits', async () => (await nexus.state()) === 'starting');

    const createdMs = monotonicMs();
    await installation.grant('nexus');
    const granted = await witness.sees('received', createdMs);
    const firstMs = await load.succeeds(createdMs);
    // Whoever was served before there was an entry was served by a Nexus without an identity.
    assert.equal(load.countSuccesses(lastMs + 1, createdMs), 0);
    assert.equal(nexus.pid, pid);
    rounds.push({
      deniedMs: denied.atMs - deletedMs,
      stoppedMs: lastMs - denied.atMs,
      grantedMs: granted.atMs - createdMs,
      backMs: firstMs - granted.atMs,
    });
  }
  return rounds;
}

function medianOf(rounds: readonly Round[]): Round {
  const middle = (pick: (round: Round) => number): number =>
    rounds.map(pick).toSorted((a, b) => a - b)[Math.floor((rounds.length - 1) / 2)] ?? Infinity;
  return {
    deniedMs: middle((round) => round.deniedMs),
    stoppedMs: middle((round) => round.stoppedMs),
    grantedMs: middle((round) => round.grantedMs),
    backMs: middle((round) => round.backMs),
  };
}

function describe(pace: Pace, { deniedMs, stoppedMs, grantedMs, backMs }: Round): string {
  const [denied, stopped, granted, back] = [deniedMs, stoppedMs, grantedMs, backMs].map(Math.round);
  return (
    `${pace} SPIRE: the agent denies after ${denied} ms, last answer ${stopped} ms later; ` +
    `it grants after ${granted} ms, first answer ${back} ms later`
  );
}
