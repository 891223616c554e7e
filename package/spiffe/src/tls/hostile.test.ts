import { test } from 'node:test';
import assert from 'node:assert/strict';
import { TestDomain, type ForgedLeaf } from '../testing/domain.ts';
import { knock } from '../testing/peer.ts';
import { Stage } from '../testing/stage.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import type { SpiffeErrorCode } from '../error.ts';

const good = 'spiffe://spike.ist/workload';

/** Each is let through by nobody: neither the handler nor the authorizer hears of it. */
const hostile: readonly (readonly [what: string, leaf: ForgedLeaf, code: SpiffeErrorCode])[] = [
  ['has expired', { uris: [good], notAfter: new Date(Date.now() - 5000) }, 'chain_invalid'],
  ['is not valid yet', { uris: [good], notBefore: new Date(Date.now() + 60_000) }, 'chain_invalid'],
  ['has two URIs', { uris: [good, 'spiffe://spike.ist/spike/nexus'] }, 'svid_invalid'],
  ['has no URI', { uris: [] }, 'svid_invalid'],
  ['is an authority', { uris: [good], ca: true }, 'svid_invalid'],
  ['has the ID of the trust domain', { uris: ['spiffe://spike.ist'] }, 'svid_invalid'],
  ['has a URI that is no SPIFFE ID', { uris: ['https://spike.ist/workload'] }, 'svid_invalid'],
  ['claims a trust domain that is not known', { uris: ['spiffe://unknown.ist/workload'] }, 'bundle_unknown'],
  [
    'claims another trust domain than its authority has',
    { uris: ['spiffe://other.ist/workload'] },
    'chain_invalid',
  ],
];

for (const [what, leaf, code] of hostile) {
  void test(`a client whose certificate ${what} is refused, and a good one served`, async () => {
    const other = new TestDomain('other.ist');
    let judged = 0;
    await using stage = await Stage.open({ authorize: () => void (judged += 1) });
    // Both bundles are loaded, so that OpenSSL alone would believe either authority about everything.
    stage.serverSource.set(
      stage.serverSource.current().svid,
      X509BundleSet.of(stage.domain.bundle, other.bundle),
    );
    assert.equal((await knock(stage.server.address, stage.domain.forge(leaf))).status, '');
    assert.deepEqual([judged, stage.peers.length], [0, 0]);
    assert.deepEqual(
      stage.refusals.map((refusal) => refusal.code),
      [code],
    );
    assert.equal(
      (await knock(stage.server.address, stage.domain.forge({ uris: [good] }))).status,
      'HTTP/1.1 200 OK',
    );
    assert.equal(
      (await knock(stage.server.address, other.issue('/workload').toPem())).status,
      'HTTP/1.1 200 OK',
    );
    assert.deepEqual([judged, stage.peers.length], [2, 2]);
  });
}

void test('a chain is verified with the intermediates that were sent, and refused without', async () => {
  await using stage = await Stage.open();
  const intermediate = stage.domain.authority.createIntermediate().createIntermediate();
  const svid = intermediate.issueX509Svid({ id: stage.domain.issue('/workload').id });
  const { cert, key } = svid.toPem();
  assert.equal(svid.chain.length, 3);
  const [leaf = ''] = cert.split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.equal((await knock(stage.server.address, { cert: leaf, key })).status, '');
  assert.equal((await knock(stage.server.address, { cert, key })).status, 'HTTP/1.1 200 OK');
  stage.clientSource.set(svid, stage.domain.bundles);
  stage.serverSource.set(
    intermediate.issueX509Svid({ id: stage.domain.issue('/nexus').id }),
    stage.domain.bundles,
  );
  assert.equal((await stage.get()).status, 200);
});

void test('an intermediate that is an authority of the bundle is enough, without its root', async () => {
  await using stage = await Stage.open();
  const intermediate = stage.domain.authority.createIntermediate();
  const bundle = X509Bundle.of(stage.domain.trustDomain, [intermediate.certificate]);
  stage.serverSource.set(stage.serverSource.current().svid, X509BundleSet.of(bundle));
  const { cert, key } = intermediate.issueX509Svid({ id: stage.domain.issue('/workload').id }).toPem();
  assert.equal((await knock(stage.server.address, { cert, key })).status, 'HTTP/1.1 200 OK');
  assert.equal((await knock(stage.server.address, stage.domain.issue('/workload').toPem())).status, '');
});

void test('the key of a certificate has to be shown, not the certificate alone', async () => {
  await using stage = await Stage.open();
  const { cert } = stage.domain.issue('/workload').toPem();
  const { key } = stage.domain.issue('/workload').toPem();
  await assert.rejects(async () => knock(stage.server.address, { cert, key }), /key values mismatch/i);
});
