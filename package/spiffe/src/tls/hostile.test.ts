import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { SpiffeErrorCode } from '../error.ts';
import { TestDomain } from '../testing/domain.ts';
import { hostilePeers } from '../testing/hostile.ts';
import { knock } from '../testing/peer.ts';
import { StaticSource } from '../testing/source.ts';
import { Stage } from '../testing/stage.ts';
import { TestCertificate, type TestCertificateOptions } from '../testing/test-certificate.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Svid } from '../x509/svid.ts';
import { authorizeAny } from './authorizer.ts';
import { buildSecureOptions } from './material.ts';
import { openPool } from './pool.ts';

const good = 'spiffe://spike.ist/workload';
const served = 'HTTP/1.1 200 OK';

const refused: readonly (readonly [what: string, TestCertificateOptions, SpiffeErrorCode])[] = [
  ['has expired', { notAfter: new Date(Date.now() - 5000) }, 'chain_invalid'],
  ['is not valid yet', { notBefore: new Date(Date.now() + 60_000) }, 'chain_invalid'],
  ['has two URIs', { uris: [good, 'spiffe://spike.ist/spike/nexus'] }, 'svid_invalid'],
  ['is an authority', { ca: true }, 'svid_invalid'],
  ['claims an unknown trust domain', { uris: ['spiffe://unknown.ist/workload'] }, 'bundle_unknown'],
  [
    'claims the trust domain of another authority',
    { uris: ['spiffe://other.ist/workload'] },
    'chain_invalid',
  ],
];

for (const [what, options, code] of refused) {
  void test(`a client whose certificate ${what} is refused, and a good one served`, async () => {
    const root = TestCertificate.root();
    const other = new TestDomain('other.ist');
    let judged = 0;
    await using stage = await Stage.open({ authorize: () => void (judged += 1) });
    const { address } = stage.server;
    // Both bundles are loaded, so that OpenSSL alone would believe either authority about everything.
    const bundles = X509BundleSet.of(...root.bundles('spike.ist'), other.bundle);
    stage.serverSource.set(stage.domain.issue('/server'), bundles);
    assert.equal((await knock(address, root.leaf(good, options).toPem())).status, '');
    assert.deepEqual([judged, stage.peers.length], [0, 0]);
    assert.deepEqual(
      stage.refusals.map((refusal) => refusal.code),
      [code],
    );
    assert.equal((await knock(address, root.leaf(good).toPem())).status, served);
    assert.equal((await knock(address, other.issue('/workload').toPem())).status, served);
    assert.deepEqual([judged, stage.peers.length], [2, 2]);
  });
}

void test('no hostile client reaches the authorizer or the handler', async () => {
  const root = TestCertificate.root();
  let judged = 0;
  await using stage = await Stage.open({ authorize: () => void (judged += 1) });
  stage.serverSource.set(stage.domain.issue('/server'), root.bundles('spike.ist'));
  for (const peer of hostilePeers) {
    const { why } = peer;
    const { status } = await knock(stage.server.address, {
      ...peer.make(root, good).toPem(),
      ciphers: weakest,
    });
    assert.equal(status, '', why);
    assert.equal(judged, 0, why);
  }
  assert.equal(stage.peers.length, 0);
  assert.equal(stage.refusals.length, hostilePeers.length);
  assert.equal((await knock(stage.server.address, root.leaf(good).toPem())).status, served);
});

/** Lets OpenSSL load the keys that are too small, so that it is our side that refuses them. */
const weakest = 'DEFAULT:@SECLEVEL=0';

void test('no hostile server sees a byte of HTTP', async () => {
  const root = TestCertificate.root();
  const domain = new TestDomain('spike.ist');
  const source = new StaticSource(domain.issue('/workload'), root.bundles('spike.ist'));
  using pool = openPool({ source, authorize: authorizeAny() });
  const { secureOptions, minVersion } = buildSecureOptions(source.current());
  let bytes = 0;
  const ask = async (leaf: TestCertificate): Promise<unknown> => {
    const options = { ...leaf.toPem(), secureOptions, ...(minVersion === undefined ? {} : { minVersion }) };
    const server = createTlsServer({ ...options, ciphers: weakest }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (part: Buffer) => {
        bytes += part.length;
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      return await pool.request({ method: 'GET', url: `https://127.0.0.1:${port}`, timeoutMs: 2000 });
    } finally {
      server.close();
    }
  };
  for (const peer of hostilePeers) {
    const { why } = peer;
    await assert.rejects(ask(peer.make(root, good)), { name: 'SpiffeError' }, why);
    assert.equal(bytes, 0, why);
  }
  await ask(root.leaf(good));
  assert.ok(bytes > 0);
});

void test('a chain is verified with the intermediates that were sent, and refused without', async () => {
  await using stage = await Stage.open();
  const intermediate = stage.domain.authority.createIntermediate().createIntermediate();
  const svid = intermediate.issueX509Svid({ id: stage.domain.issue('/workload').id });
  const { cert, key } = svid.toPem();
  assert.equal(svid.chain.length, 3);
  const [leaf = ''] = cert.split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.equal((await knock(stage.server.address, { cert: leaf, key })).status, '');
  assert.equal((await knock(stage.server.address, { cert, key })).status, served);
  stage.clientSource.set(svid, stage.domain.bundles);
  const server = intermediate.issueX509Svid({ id: stage.domain.issue('/nexus').id });
  stage.serverSource.set(server, stage.domain.bundles);
  assert.equal((await stage.get()).status, 200);
});

void test('roots of one name are told apart, in one bundle and across trust domains', async () => {
  const subject = 'SPIRE';
  const [first, second, third] = [0, 1, 2].map(() => TestCertificate.root({ subject }));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await using stage = await Stage.open();
  const bundles = X509BundleSet.of(...first.bundles('spike.ist', second), ...third.bundles('other.ist'));
  stage.serverSource.set(stage.domain.issue('/server'), bundles);
  const visit = async (leaf: TestCertificate): Promise<string> =>
    (await knock(stage.server.address, leaf.toPem())).status;
  assert.equal(await visit(first.leaf(good)), served);
  assert.equal(await visit(second.leaf(good)), served);
  assert.equal(await visit(third.leaf('spiffe://other.ist/w')), served);
  assert.equal(await visit(third.leaf(good)), '');
  assert.equal(await visit(first.leaf('spiffe://other.ist/w')), '');
});

void test('a client believes an intermediate that is itself the authority of a bundle', async () => {
  await using stage = await Stage.open();
  const root = TestCertificate.root();
  const intermediate = root.authority();
  const { cert, key } = intermediate.leaf('spiffe://spike.ist/spike/nexus').toPem();
  stage.serverSource.set(X509Svid.parsePem(cert, key), stage.domain.bundles);
  stage.clientSource.set(stage.domain.issue('/workload'), intermediate.bundles('spike.ist'));
  assert.equal((await stage.get()).status, 200);
});
