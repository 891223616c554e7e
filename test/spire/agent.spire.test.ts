import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, type Spike } from '@spike/sdk';
import { until } from '../system.ts';
import { Installation } from './installation.ts';
import { Load } from './load.ts';
import { monotonicMs } from './witness.ts';

/** SPIRE renews in the middle of a life. */
const lifeSeconds = 20;
/** How exact a life is: SPIRE counts seconds, and a machine that is busy comes late. */
const slackMs = 3_000;
async function startServing(): Promise<Installation> {
  const installation = await Installation.start({ ttlSeconds: lifeSeconds });
  await installation.mustSpike(['secret', 'put', 'agent/a', 'word=there']);
  await installation.allow('read', '^agent/.*');
  return installation;
}

function read(spike: Spike): Load {
  return Load.start(async (deadlineMs) => {
    assert.equal((await spike.get('agent/a', { deadlineMs })).field('word').expose(), 'there');
  });
}

test('an agent that is started again costs no request', async () => {
  await using installation = await startServing();
  const { agent } = installation.spire;
  await using spike = await connect({ env: {}, context: installation.context, retry: false });
  await using load = read(spike);
  await load.succeeds(monotonicMs());
  await agent.stop();
  const isAway = (line: string): boolean => line.includes('identity.unreachable');
  await until('Nexus misses the agent', () => installation.nexus.log.some(isAway));
  await load.succeeds(monotonicMs());
  await agent.startAgain();
  await installation.reachHeld();
  await load.succeeds(monotonicMs());
  await installation.reachHolding(1, 2, 3);
  assert.deepEqual(load.failures(), []);
});

test('while the SPIRE server is down Nexus serves until its SVID ends, and comes back with the server', async (t) => {
  await using installation = await startServing();
  const { server } = installation.spire;
  await using spike = await connect({ env: {}, context: installation.context, retry: false });
  await using load = read(spike);
  await load.succeeds(monotonicMs());
  await server.stop();
  const stoppedMs = monotonicMs();
  const lastMs = await load.ends();
  // Nobody renews what had half of its life at least.
  const servedMs = lastMs - stoppedMs;
  assert.ok(servedMs > (lifeSeconds / 2) * 1_000 - slackMs, `only ${servedMs.toFixed(0)} ms`);
  assert.ok(servedMs < lifeSeconds * 1_000 + slackMs, `still after ${servedMs.toFixed(0)} ms`);
  await server.startAgain();
  const startedMs = monotonicMs();
  const backMs = (await load.succeeds(startedMs)) - startedMs;
  t.diagnostic(
    `served for ${servedMs.toFixed(0)} ms without a server, back ${backMs.toFixed(0)} ms after its start`,
  );
});

for (const way of ['evict', 'ban'] as const) {
  test(`an agent that is out by ${way} ends Nexus when its SVID ends, and one that joins anew brings it back`, async (t) => {
    await using installation = await startServing();
    const { server, agent } = installation.spire;
    await using spike = await connect({ env: {}, context: installation.context, retry: false });
    await using load = read(spike);
    await load.succeeds(monotonicMs());
    const [id] = await server.agentIds();
    assert.ok(id !== undefined);
    await (way === 'evict' ? server.evictAgent(id) : server.banAgent(id));
    const outMs = monotonicMs();
    const servedMs = (await load.ends()) - outMs;
    assert.ok(servedMs < lifeSeconds * 1_000 + slackMs, `still after ${servedMs.toFixed(0)} ms`);
    const left = agent.running ? 'runs on' : 'has ended';
    await agent.join();
    const joinedMs = monotonicMs();
    const backMs = (await load.succeeds(joinedMs)) - joinedMs;
    t.diagnostic(
      `${way}: last answer ${servedMs.toFixed(0)} ms after the command, the agent ${left}; ` +
        `back ${backMs.toFixed(0)} ms after it joined anew`,
    );
  });
}
