import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@spike/sdk';
import { X509Source } from '@spike/spiffe';
import { until } from '../system.ts';
import { Installation } from './installation.ts';
import { Load } from './load.ts';
import { monotonicMs } from './witness.ts';

/** At once, for a machine that is busy. */
const stopMs = 5_000;

test('of several SVIDs each program takes the one that is meant', async () => {
  await using installation = await Installation.start();
  const { server } = installation.spire;
  await installation.mustSpike(['secret', 'put', 'hint/a', 'word=mine']);
  await installation.allow('read', '^hint/.*');
  await installation.grantOthers('workload', [{ path: '/workload/job', hint: 'job' }]);
  await installation.change('workload', { hint: 'app' });

  // A workload that does not say which is told to; by ID or by hint it gets the one that it asked for.
  const { context } = installation;
  const refusal = await until('there are two', async () => {
    return await connect({ env: {}, context }).then(
      async (spike) => {
        await spike[Symbol.asyncDispose]();
        return undefined;
      },
      (error: unknown) => String(error),
    );
  });
  assert.match(refusal, /several identities.*\/workload\/job/);
  for (const hint of ['app', 'job']) {
    await using source = await X509Source.open({
      endpoint: context.endpointSocket,
      pick: (svids) => svids.find((svid) => svid.hint === hint),
      signal: new AbortController().signal,
    });
    assert.equal(source.current().svid.id.path, `/workload/${hint}`);
  }
  await using app = await connect({ env: {}, context, spiffeId: installation.id('workload'), retry: false });
  await using job = await connect({ env: {}, context, spiffeId: server.id('/workload/job'), retry: false });
  await using load = Load.start(async (deadlineMs) => void (await app.get('hint/a', { deadlineMs })));
  await load.succeeds(monotonicMs());
  await assert.rejects(job.get('hint/a'), { code: 'access_unauthorized' });

  // Nexus finds its own among others, and misses nothing while it has one.
  await using witness = await installation.startWitness('nexus');
  const [spare] = await installation.grantOthers('nexus', [
    { path: '/spike/nexus/spare' },
    { path: '/aaa/first', hint: 'a' },
    { path: '/spike/nexus-not' },
    { path: '/zzz/last', hint: 'z' },
  ]);
  assert.ok(spare !== undefined);
  await witness.seesSvids([
    '/aaa/first',
    '/spike/nexus',
    '/spike/nexus-not',
    '/spike/nexus/spare',
    '/zzz/last',
  ]);
  await installation.withdraw('nexus');
  await witness.seesSvids(['/aaa/first', '/spike/nexus-not', '/spike/nexus/spare', '/zzz/last']);
  await load.succeeds(monotonicMs());
  assert.deepEqual(load.failures(), []);

  // An answer that has SVIDs, and none of them its own, takes its identity away as a denial does.
  await server.deleteEntries(spare);
  const { atMs } = await witness.seesSvids(['/aaa/first', '/spike/nexus-not', '/zzz/last']);
  assert.ok((await load.ends()) - atMs <= stopMs);
  await installation.grant('nexus');
  await load.succeeds(monotonicMs());
});
