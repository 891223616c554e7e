import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeError } from '../error.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import { TestDomain } from '../testing/domain.ts';
import { knock } from '../testing/peer.ts';
import { generateKey } from '../testing/signer.ts';
import { StaticSource } from '../testing/source.ts';
import { Stage, limits, until } from '../testing/stage.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { oid } from '../x509/oid.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { authorizeAny } from './authorizer.ts';
import { fitBundles } from './material.ts';
import { openPool } from './pool.ts';
import { openServer } from './server.ts';

const { privateKey } = generateKey('p256');

/** A trust domain of so many authorities, each with a name of a little more than so many bytes. */
function crowd(
  name: string,
  count: number,
  nameBytes: number,
): { bundle: X509Bundle; last: TestCertificate } {
  const roots = Array.from({ length: count }, (_, i) =>
    TestCertificate.root({ subject: `${i} ${'x'.repeat(nameBytes)}`, privateKey }),
  );
  const last = roots.at(-1);
  assert.ok(last);
  const [bundle] = last.bundles(name, ...roots);
  assert.ok(bundle);
  return { bundle, last };
}

test('the names of a partner’s many authorities keep nobody else from connecting', async () => {
  const omitted: string[][] = [];
  await using stage = await Stage.open({
    onOmitted: (domains) => omitted.push(domains.map(({ name }) => name)),
  });
  const { svid } = stage.serverSource.current();
  const small = new TestDomain('small.test');
  const { bundle: large, last } = crowd('large.test', 90, 1500);
  const bundles = X509BundleSet.of(large, small.bundle, stage.domain.bundle);
  const smallSource = new StaticSource(small.issue('/client'), stage.domain.bundles);
  using pool = openPool({ source: smallSource, authorize: authorizeAny() });
  const ask = (): Promise<unknown> =>
    pool.request({ method: 'GET', url: stage.server.url, timeoutMs: 5000, idempotent: true });

  stage.serverSource.set(svid, bundles);
  await stage.get();
  await ask();
  assert.deepEqual(
    stage.peers.map(({ id }) => id.trustDomain.name),
    ['spike.ist', 'small.test'],
  );
  assert.deepEqual(omitted, [['large.test']]);
  // What it is told again is no news.
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), bundles);
  assert.equal(omitted.length, 1);

  // With fewer authorities it is let in, and with more again its connections end.
  const leaf = last.leaf('spiffe://large.test/client').toPem();
  const statusOf = async (): Promise<string> => (await knock(stage.server.address, leaf)).status;
  assert.equal(await statusOf(), '');
  const [one] = last.bundles('large.test');
  assert.ok(one);
  stage.serverSource.set(svid, X509BundleSet.of(one, small.bundle, stage.domain.bundle));
  assert.match(await statusOf(), /^HTTP\/1\.1 200 /);
  assert.deepEqual(omitted, [['large.test'], []]);

  // A client names nobody, and needs nothing left out.
  stage.clientSource.set(stage.domain.issue('/workload'), bundles);
  using client = openPool({ source: stage.clientSource, authorize: authorizeAny() });
  const url = stage.server.url;
  assert.equal((await client.request({ method: 'GET', url, timeoutMs: 5000 })).status, 200);
});

test('handshakes go on when the names of our own authorities have no room, and strangers are refused as before', async () => {
  await using stage = await Stage.open();
  const { svid } = stage.serverSource.current();
  const own = stage.domain.bundle;
  const { authorities } = crowd('spike.ist', 60, 1500).bundle;
  const forServers = TestCertificate.root({ subject: 'for servers', extKeyUsage: [oid.serverAuth] });
  const [bundle] = forServers.bundles('spike.ist');
  assert.ok(bundle);
  const usual = X509Bundle.of(own.trustDomain, [...own.authorities, ...bundle.authorities]);
  const grown = X509Bundle.of(own.trustDomain, [...usual.authorities, ...authorities]);
  const partner = new TestDomain('partner.test');
  const good = [stage.domain, partner].map((domain) => domain.issue('/client').toPem());
  // Of an authority that has the right name and is another, of one that nobody knows, of one for servers, and nothing.
  const bad = [
    ...['spike.ist', 'stranger.test'].map((name) => new TestDomain(name).issue('/client').toPem()),
    forServers.leaf('spiffe://spike.ist/client').toPem(),
    {},
  ];
  // When they have room again, OpenSSL judges before us again: it knows no trust domains.
  for (const [ours, ...codes] of [
    [grown, 'chain_invalid', 'bundle_unknown', 'chain_invalid', 'peer_missing'],
    [usual, 'chain_invalid', 'chain_invalid', 'chain_invalid', 'peer_missing'],
  ] as const) {
    stage.serverSource.set(svid, X509BundleSet.of(ours, partner.bundle));
    const before = stage.refusals.length;
    for (const one of good) assert.match((await knock(stage.server.address, one)).status, /^HTTP\/1\.1 200 /);
    for (const one of bad) assert.equal((await knock(stage.server.address, one)).status, '');
    assert.deepEqual(
      stage.refusals.slice(before).map(({ code }) => code),
      codes,
    );
  }
  assert.deepEqual(
    stage.peers.map(({ id }) => id.trustDomain.name),
    ['spike.ist', 'partner.test', 'spike.ist', 'partner.test'],
  );

  // From the start, too.
  const source = new StaticSource(svid, X509BundleSet.of(grown));
  await using server = await openServer(
    {
      source,
      authorize: authorizeAny(),
      handler: (_request, response) => response.end(),
      limits,
      host: '127.0.0.1',
      port: 0,
    },
    AbortSignal.timeout(5000),
  );
  assert.match((await knock(server.address, good[0] ?? {})).status, /^HTTP\/1\.1 200 /);
});

test('that nothing is filtered since the names of our own have no room is told once per change, also from the start', async () => {
  const told: (boolean | string)[] = [];
  const notices = {
    onUnfiltered: (isUnfiltered: boolean) => told.push(isUnfiltered),
    onOmitted: (domains: readonly TrustDomain[]) => told.push(domains.map(({ name }) => name).join(' ')),
  };
  await using stage = await Stage.open(notices);
  const own = stage.domain.bundle;
  const { authorities } = crowd('spike.ist', 30, 1500).bundle;
  const grown = X509Bundle.of(own.trustDomain, [...own.authorities, ...authorities]);
  const { bundle: large } = crowd('large.test', 3, 1500);
  const follow = (...bundles: readonly X509Bundle[]): unknown[] => {
    // Renewed each time: what is as before is no news.
    for (const _ of [1, 2])
      stage.serverSource.set(stage.domain.issue('/spike/nexus'), X509BundleSet.of(...bundles));
    return told.splice(0);
  };
  assert.deepEqual(follow(own), []);
  assert.deepEqual(follow(grown), [true]);
  // With nobody listed there is room for everybody.
  assert.deepEqual(follow(grown, large), []);
  assert.deepEqual(follow(own, large), ['large.test', false]);
  assert.deepEqual(follow(grown, large), ['', true]);

  const source = new StaticSource(stage.domain.issue('/spike/nexus'), X509BundleSet.of(grown));
  const options = {
    source,
    authorize: authorizeAny(),
    handler: () => {},
    limits,
    host: '127.0.0.1',
    port: 0,
  };
  await using _server = await openServer({ ...options, ...notices }, AbortSignal.timeout(5000));
  assert.deepEqual(told, [true]);
});

test('connections of a trust domain that is left out from now on end at once', async () => {
  await using stage = await Stage.open();
  const { svid } = stage.serverSource.current();
  const other = new TestDomain('other.test');
  stage.serverSource.set(svid, X509BundleSet.of(other.bundle, stage.domain.bundle));
  const source = new StaticSource(other.issue('/client'), stage.domain.bundles);
  using pool = openPool({ source, authorize: authorizeAny() });
  const ask = (): Promise<unknown> => pool.request({ method: 'GET', url: stage.server.url, timeoutMs: 5000 });
  await ask();
  assert.equal(stage.server.connections, 1);
  const grown = crowd('other.test', 5, 1500).bundle.authorities;
  const bundle = X509Bundle.of(other.trustDomain, [...other.bundle.authorities, ...grown]);
  stage.serverSource.set(svid, X509BundleSet.of(bundle, stage.domain.bundle));
  await until(() => stage.server.connections === 0);
  await assert.rejects(ask(), SpiffeError);
});

test('of others as many are listed as there is room for beside our own, the small ones first, and nobody beside one without', () => {
  const own = new TestDomain('own.test');
  const svid = own.issue('/server');
  // Of about 3.8 KiB each: eight fit into 32 KiB beside our own.
  const others = Array.from({ length: 10 }, (_, i) => crowd(`td${i}.test`, 1, 3800).bundle);
  const small = new TestDomain('z.test').bundle;
  const names = (bundles: Iterable<X509Bundle>): string[] =>
    [...bundles].map(({ trustDomain }) => trustDomain.name).toSorted();
  const expected = [...Array.from({ length: 8 }, (_, i) => `td${i}.test`), 'own.test', 'z.test'].toSorted();
  for (const order of [others, others.toReversed()]) {
    const fitted = fitBundles({ svid, bundles: X509BundleSet.of(...order, own.bundle, small) });
    assert.deepEqual(names(fitted.bundles), expected);
    assert.deepEqual(
      fitted.omitted.map(({ name }) => name),
      ['td8.test', 'td9.test'],
    );
  }
  const huge = crowd('own.test', 30, 1500).bundle;
  const fitted = fitBundles({ svid, bundles: X509BundleSet.of(small, huge) });
  assert.deepEqual(names(fitted.bundles), ['own.test', 'z.test']);
  assert.deepEqual([fitted.listed.size, fitted.omitted.length], [0, 0]);
});
