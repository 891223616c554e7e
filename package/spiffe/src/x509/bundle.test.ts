import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { X509BundleSet } from './bundle-set.ts';
import { X509Bundle } from './bundle.ts';

const td = TrustDomain.parse('td');
const [one, two] = [TestCertificate.root(), TestCertificate.root()];

test('a bundle survives DER and PEM and is the same in any order', () => {
  const bundle = X509Bundle.parse(td, Buffer.concat([one.der, two.der]));
  assert.equal(bundle.authorities.length, 2);
  assert.equal(X509Bundle.parse(td, bundle.toDer()).equals(bundle), true);
  assert.equal(X509Bundle.parsePem(td, 'a comment\n' + bundle.toPem()).equals(bundle), true);
  assert.equal(X509Bundle.parse(td, Buffer.concat([two.der, one.der])).equals(bundle), true);
  assert.equal(X509Bundle.parse(td, one.der).equals(bundle), false);
  assert.equal(X509Bundle.parse(TrustDomain.parse('other'), bundle.toDer()).equals(bundle), false);
});

test('an authority that is listed twice is kept once, and an empty bundle is a bundle', () => {
  assert.equal(X509Bundle.parse(td, Buffer.concat([one.der, one.der])).authorities.length, 1);
  assert.equal(X509Bundle.parse(td, new Uint8Array()).authorities.length, 0);
});

test('what is not a bundle is refused', () => {
  const code = 'bundle_invalid';
  assert.throws(() => X509Bundle.parse(td, one.der.subarray(1)), { code });
  assert.throws(() => X509Bundle.parse(td, Uint8Array.of(1, 2, 3)), { code });
  for (const pem of [
    '',
    'nothing',
    '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----',
    '-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END OTHER-----',
    '-----BEGIN CERTIFICATE-----\nAAAA',
    X509Bundle.parse(td, one.der).toPem().replaceAll('CERTIFICATE', 'PRIVATE KEY'),
  ]) {
    assert.throws(() => X509Bundle.parsePem(td, pem), { code });
  }
});

test('B-9 a set keeps bundles of different trust domains apart and refuses two of one', () => {
  const a = X509Bundle.parse(td, one.der);
  const b = X509Bundle.parse(TrustDomain.parse('other'), two.der);
  const set = X509BundleSet.of(a, b);
  assert.equal(set.get(td), a);
  assert.equal(set.get(TrustDomain.parse('unknown')), undefined);
  assert.deepEqual([...set], [a, b]);
  assert.equal(set.size, 2);
  assert.throws(() => X509BundleSet.of(a, X509Bundle.parse(td, two.der)), { code: 'bundle_invalid' });
});
