import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@spike/sdk';
import { X509Source } from '@spike/spiffe';
import { until } from '../system.ts';
import { Installation, workloadPath } from './installation.ts';
import { Load } from './load.ts';
import { monotonicMs } from './witness.ts';

const lifeSeconds = 60;
const runMs = 95_000;
/** SPIRE renews in the middle of a life. */
const leastIdentities = 3;

test('SVIDs that live a minute and are renewed on the way cost no request under load', async (t) => {
  await using installation = await Installation.start({ ttlSeconds: lifeSeconds });
  await installation.allow('read,write', '^rotation/.*');
  await using spike = await connect({ env: {}, context: installation.context, retry: false });
  const source = await X509Source.open({
    endpoint: installation.context.endpointSocket,
    pick: (svids) => svids.find(({ id }) => id.path === workloadPath),
    signal: new AbortController().signal,
  });
  await using _source = source;
  const ends = new Set<number>();
  const remember = (): void => void ends.add(source.current().svid.notAfter.getTime());
  remember();
  using _watch = source.subscribe(remember);

  const begunMs = monotonicMs();
  let round = 0;
  await using load = Load.start(async (deadlineMs) => {
    const path = `rotation/${(round += 1) % 8}`;
    await spike.put(path, { word: 'round' }, { deadlineMs });
    assert.equal((await spike.get(path, { deadlineMs })).field('word').expose(), 'round');
  });
  await until('a life and a half has passed', () => monotonicMs() > begunMs + runMs, 2 * runMs);
  t.diagnostic(`${2 * load.count} requests under ${ends.size} identities of one caller`);
  assert.deepEqual(load.failures(), []);
  assert.ok(load.count > 1_000, `${load.count} calls`);
  assert.ok(ends.size >= leastIdentities, `${ends.size} identities`);
  // Those of Nexus and of the Keepers lived no longer, and the Keepers are asked all the time.
  await installation.reachHolding(1, 2, 3);
  const lost = /"level":"(warn|error)".*"event":"identity\./;
  assert.deepEqual(
    installation.nexus.log.filter((line) => lost.test(line)),
    [],
  );
});
