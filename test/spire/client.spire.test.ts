import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, SecretPath } from '@spike/contract';
import { authorizeRole, connect, openClient } from '@spike/sdk';
import { TrustDomain, X509Source } from '@spike/spiffe';
import { StaticSource } from '@spike/spiffe/testing';
import { until } from '../system.ts';
import { Installation, workloadPath } from './installation.ts';
import { Load } from './load.ts';
import { monotonicMs } from './witness.ts';

/** Long enough for SPIRE, which renews in the middle of it. */
const lifeSeconds = 20;
/** At once, for a machine that is busy. */
const stopMs = 5_000;

const path = 'client/a';

test('a workload whose entry is deleted stops at once, and one that kept its SVID is refused when that ends', async (t) => {
  await using installation = await Installation.start();
  await installation.mustSpike(['secret', 'put', path, 'word=mine']);
  await installation.allow('read', '^client/.*');
  await installation.change('workload', { ttlSeconds: lifeSeconds });
  await using source = await X509Source.open({
    endpoint: installation.context.endpointSocket,
    pick: (svids) => svids.find(({ id }) => id.path === workloadPath),
    signal: new AbortController().signal,
  });
  await until('the SVID has a short life', () => {
    const { notBefore, notAfter } = source.current().svid;
    // SPIRE dates them back by ten seconds.
    return notAfter.getTime() - notBefore.getTime() <= (lifeSeconds + 15) * 1_000;
  });
  let withdrawnMs: number | undefined;
  using _watch = source.subscribe(({ kind }) => {
    if (kind === 'withdrawn') withdrawnMs ??= monotonicMs();
  });
  await using spike = await connect({ env: {}, context: installation.context, retry: false });
  const read = async (deadlineMs: number): Promise<void> => {
    assert.equal((await spike.get(path, { deadlineMs })).field('word').expose(), 'mine');
  };
  await using honest = Load.start(read);
  await honest.succeeds(monotonicMs());

  // What somebody has who took the key out of the workload's memory.
  const { svid, bundles } = source.current();
  using thief = openClient({
    source: new StaticSource(svid, bundles),
    table: nexusTable,
    url: installation.nexus.url,
    authorize: authorizeRole('nexus', [TrustDomain.parse(installation.spire.server.trustDomain)]),
    retry: false,
  });
  await using stolen = Load.start(async (deadlineMs) => {
    await thief.call.getSecret({ path: SecretPath.parse(path), version: 0 }, { deadlineMs });
  });
  await stolen.succeeds(monotonicMs());

  const deletedMs = monotonicMs();
  await installation.withdraw('workload');
  const deniedMs = await until('the agent denies', () => withdrawnMs);
  const stopped = (await honest.ends()) - deniedMs;
  assert.ok(stopped <= stopMs, `the SDK had an answer ${stopped.toFixed(0)} ms after the agent denied it`);
  assert.match(honest.failures(deniedMs).join(), /identity/);

  const endMs = monotonicMs() + svid.notAfter.getTime() - Date.now();
  const late = (await stolen.ends()) - endMs;
  assert.ok(late <= stopMs, `Nexus answered ${late.toFixed(0)} ms after the end of the SVID`);
  t.diagnostic(
    `the agent denied ${(deniedMs - deletedMs).toFixed(0)} ms after the command, last answer through the SDK ` +
      `${stopped.toFixed(0)} ms later; last answer under the kept SVID ${late.toFixed(0)} ms after its end`,
  );

  await installation.grant('workload');
  await honest.succeeds(monotonicMs());
});
