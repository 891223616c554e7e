import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, SecretPath } from '@spike/contract';
import { authorizeRole, openClient, type OpenedClient } from '@spike/sdk';
import { TrustDomain, X509Source } from '@spike/spiffe';
import { until } from '../system.ts';
import { Installation, workloadPath } from './installation.ts';
import { Load } from './load.ts';
import { Spire } from './spire.ts';
import { monotonicMs } from './witness.ts';

const [shared, own] = [SecretPath.parse('guest/shared'), SecretPath.parse('host/own')];
/** From the agent's answer; SPIRE's own way to it comes before. */
const atOnceMs = 1_000;
const denied = { code: 'access_unauthorized' };

test('a workload of another trust domain gets what a policy gives it, until the bundle of its trust domain is gone', async (t) => {
  await using installation = await Installation.start();
  await using guests = await Spire.start({ trustDomain: 'guest.test' });
  const [host, guest] = [installation.spire.server, guests.server];
  await Promise.all([host.federateWith(guest), guest.federateWith(host)]);
  assert.deepEqual(await host.federatedBundles(), [guest.trustDomain]);
  await installation.change('nexus', { federatesWith: [guest.trustDomain] });
  await guest.createEntry({
    spiffeId: guest.id(workloadPath),
    selectors: [`unix:path:${process.execPath}`],
    federatesWith: [host.trustDomain],
  });
  await using source = await openSource(guests.agent.endpoint);
  await until('the guest knows whom to believe', () => {
    return source.current().bundles.get(TrustDomain.parse(host.trustDomain)) !== undefined;
  });
  await installation.mustSpike(['secret', 'put', shared.toString(), 'word=shared']);
  await installation.mustSpike(['secret', 'put', own.toString(), 'word=own']);
  using client = openGuest(installation, source);
  await until('Nexus knows the guest', () =>
    client.call.getSecret({ path: own, version: 0 }).catch(isDenied),
  );

  await t.test('without a policy that names it, it gets nothing', async () => {
    await assert.rejects(client.call.getSecret({ path: shared, version: 0 }), denied);
    await assert.rejects(client.call.status({ verify: true }), denied);
  });
  const options = {
    '--name': 'guests',
    '--path-pattern': '^guest/.*',
    '--spiffeid-pattern': String.raw`^spiffe://guest\.test/workload/app$`,
    '--permissions': 'read',
  };
  await installation.mustSpike(['policy', 'create', ...Object.entries(options).flat()]);
  await using load = Load.start(async (deadlineMs) => {
    const { data } = await client.call.getSecret({ path: shared, version: 0 }, { deadlineMs });
    assert.equal(data['word'], 'shared');
  });
  await load.succeeds(monotonicMs());
  await assert.rejects(client.call.getSecret({ path: own, version: 0 }), denied, 'and nothing else');

  await using witness = await installation.openSource('workload');
  await installation.change('workload', { federatesWith: [guest.trustDomain] });
  const guestDomain = TrustDomain.parse(guest.trustDomain);
  await until('the witness has the bundle', () => witness.current().bundles.get(guestDomain) !== undefined);
  const gone = Promise.withResolvers<number>();
  using _watch = witness.subscribe(() => {
    if (witness.current().bundles.get(guestDomain) === undefined) gone.resolve(monotonicMs());
  });
  const endedMs = monotonicMs();
  await host.endFederationWith(guest);
  const goneMs = await gone.promise;
  const lastMs = await load.ends();
  assert.ok(
    lastMs - goneMs <= atOnceMs,
    `an answer ${(lastMs - goneMs).toFixed(0)} ms after the bundle was gone`,
  );
  using again = openGuest(installation, source);
  await assert.rejects(again.call.getSecret({ path: shared, version: 0 }), { code: 'net_peer_connection' });
  t.diagnostic(
    `the agent told it ${(goneMs - endedMs).toFixed(0)} ms after the commands, last answer ${(lastMs - goneMs).toFixed(0)} ms later`,
  );
});

async function openSource(endpoint: string): Promise<X509Source> {
  return await X509Source.open({
    endpoint,
    pick: (svids) => svids.find(({ id }) => id.path === workloadPath),
    signal: new AbortController().signal,
  });
}

function openGuest(installation: Installation, source: X509Source): OpenedClient<typeof nexusTable> {
  return openClient({
    source,
    table: nexusTable,
    url: installation.nexus.url,
    authorize: authorizeRole('nexus', [TrustDomain.parse(installation.spire.server.trustDomain)]),
    retry: false,
  });
}

/** It is believed, and may not. */
function isDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === denied.code;
}
