import { setImmediate as immediate } from 'node:timers/promises';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { TestDomain } from '../testing/domain.ts';
import { generateKey } from '../testing/signer.ts';
import { Stage, until } from '../testing/stage.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { oid } from '../x509/oid.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Svid } from '../x509/svid.ts';

void test('no request fails while both sides rotate short-lived SVIDs, and then their root, under load', async () => {
  await using stage = await Stage.open();
  const lifetimeMs = 2000;
  const renewed = new TestDomain('spike.ist');
  const { trustDomain } = stage.domain;
  const authorities = [...stage.domain.bundle.authorities, ...renewed.bundle.authorities];
  const both = X509BundleSet.of(X509Bundle.of(trustDomain, authorities));
  let signer = stage.domain;
  let bundles = stage.domain.bundles;
  const rotate = (): void => {
    stage.serverSource.set(signer.issue('/spike/nexus', { lifetimeMs }), bundles);
    stage.clientSource.set(signer.issue('/workload', { lifetimeMs }), bundles);
  };
  rotate();
  const rotation = setInterval(rotate, 700);
  const end = performance.now() + 2500;
  let answered = 0;
  let failed = false;
  let done = false;
  const work = async (): Promise<void> => {
    while (!done) {
      const { status } = await stage.get();
      assert.equal(status, 200);
      answered += 1;
    }
  };
  /** By requests, not by time: a slow machine only takes longer. */
  const untilAnswered = async (count: number): Promise<void> => {
    while (!failed && answered < count) await immediate();
  };
  const steps = (async () => {
    await untilAnswered(200);
    bundles = both;
    rotate();
    await untilAnswered(400);
    signer = renewed;
    rotate();
    await untilAnswered(600);
    // Longer than any of the first SVIDs lives.
    while (!failed && performance.now() < end) await immediate();
    done = true;
  })();
  try {
    await Promise.all([...Array.from({ length: 8 }, work), steps]);
  } finally {
    failed = true;
    clearInterval(rotation);
  }
  assert.ok(answered >= 600, `only ${answered} requests`);
  assert.ok(stage.server.connections <= 16);
});

/** The same authority for every purpose and for one: what it has signed is signed by either. */
function authorityAndItsTwin(purpose: string): readonly [TestCertificate, TestCertificate] {
  const { privateKey } = generateKey('p256');
  const options = { subject: 'authority', privateKey };
  return [TestCertificate.root(options), TestCertificate.root({ ...options, extKeyUsage: [purpose] })];
}

void test('a server ends a connection when its path leads to an authority for servers alone from now on', async () => {
  const [all, forServers] = authorityAndItsTwin(oid.serverAuth);
  // Of more names than there is room for: the verifier is alone.
  const { privateKey } = all;
  const many = Array.from({ length: 30 }, (_, i) =>
    TestCertificate.root({ subject: `${i} ${'x'.repeat(1500)}`, privateKey }),
  );
  for (const others of [[], many]) {
    await using stage = await Stage.open();
    const { svid } = stage.serverSource.current();
    const leaf = all.leaf('spiffe://spike.ist/workload').toPem();
    stage.clientSource.set(X509Svid.parsePem(leaf.cert, leaf.key), stage.domain.bundles);
    stage.serverSource.set(svid, all.bundles('spike.ist', ...others));
    await stage.get();
    assert.equal(stage.server.connections, 1);
    stage.serverSource.set(svid, forServers.bundles('spike.ist', ...others));
    await until(() => stage.server.connections === 0);
    await assert.rejects(stage.get());
    stage.serverSource.set(svid, all.bundles('spike.ist', ...others));
    await stage.get();
  }
});

void test('a client ends a connection when its path leads to an authority for clients alone from now on', async () => {
  const [all, forClients] = authorityAndItsTwin(oid.clientAuth);
  await using stage = await Stage.open();
  const { svid } = stage.clientSource.current();
  const leaf = all.leaf('spiffe://spike.ist/spike/nexus').toPem();
  stage.serverSource.set(X509Svid.parsePem(leaf.cert, leaf.key), stage.domain.bundles);
  stage.clientSource.set(svid, all.bundles('spike.ist'));
  await stage.get();
  assert.equal(stage.pool.connections, 1);
  stage.clientSource.set(svid, forClients.bundles('spike.ist'));
  await until(() => stage.pool.connections === 0);
  await assert.rejects(stage.get(), { code: 'chain_invalid' });
  stage.clientSource.set(svid, all.bundles('spike.ist'));
  await stage.get();
});
