import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { oid } from '../x509/oid.ts';
import { toPem } from '../x509/pem.ts';
import { verifyX509Svid } from '../x509/verify.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { createSerialNumber } from './draft.ts';

const trustDomain = TrustDomain.parse('td');
const id = SpiffeId.parse('spiffe://td/a/b');
const authority = CertificateAuthority.create({ trustDomain });
const bundles = X509BundleSet.of(authority.bundle());

test('an SVID has what X509-SVID wants of one: ID, cA=false, critical usages, both purposes, key identifiers', () => {
  const { leaf } = authority.issueX509Svid({ id, dnsNames: ['host.example'] });
  assert.deepEqual(leaf.uris, ['spiffe://td/a/b']);
  assert.deepEqual(leaf.dnsNames, ['host.example']);
  assert.deepEqual(leaf.basicConstraints, { critical: true, ca: false });
  assert.deepEqual(leaf.keyUsage, { critical: true, usages: new Set(['digitalSignature']) });
  assert.deepEqual(leaf.extKeyUsage?.purposes, new Set([oid.serverAuth, oid.clientAuth]));
  assert.deepEqual(leaf.authorityKeyId, authority.certificate.subjectKeyId);
  assert.equal(leaf.subjectKeyId?.length, 20);
  assert.equal(leaf.subject.isEmpty, false);
});

test('an authority has the ID of its trust domain, cA and keyCertSign, and a name of its own', () => {
  const { certificate } = authority;
  assert.deepEqual(certificate.uris, ['spiffe://td']);
  assert.deepEqual(certificate.basicConstraints, { critical: true, ca: true });
  assert.deepEqual(certificate.keyUsage?.usages, new Set(['keyCertSign', 'cRLSign']));
  assert.equal(
    CertificateAuthority.create({ trustDomain }).certificate.subject.equals(certificate.subject),
    false,
  );
});

test('our verifier and node:crypto believe what it issues, through intermediates too', () => {
  const middle = authority.createIntermediate();
  for (const issuer of [authority, middle, middle.createIntermediate()]) {
    const svid = issuer.issueX509Svid({ id });
    assert.equal(verifyX509Svid(svid.chain, bundles).id.equals(id), true);
    const theirs = new X509Certificate(svid.leaf.der);
    const parent = new X509Certificate(issuer.certificate.der);
    assert.equal(theirs.checkIssued(parent), true);
    assert.equal(theirs.verify(parent.publicKey), true);
    assert.equal(theirs.checkPrivateKey(svid.privateKey), true);
    assert.equal(theirs.subjectAltName, 'URI:spiffe://td/a/b');
    assert.equal(issuer.bundle().equals(authority.bundle()), true);
  }
});

test('life begins with the running second and ends no later than that of the authority', () => {
  const now = new Date('2030-01-01T00:00:00.900Z');
  const short = CertificateAuthority.create({ trustDomain, now, lifetimeMs: 60_000 });
  const svid = short.issueX509Svid({ id, now, lifetimeMs: 2500 });
  assert.equal(svid.notBefore.toISOString(), '2030-01-01T00:00:00.000Z');
  assert.equal(svid.notAfter.toISOString(), '2030-01-01T00:00:02.000Z');
  const long = short.createIntermediate({ now }).issueX509Svid({ id, now, lifetimeMs: 3_600_000 });
  assert.equal(long.notAfter.getTime(), short.certificate.notAfter.getTime());
  const late = new Date('2030-01-01T00:01:00Z');
  assert.throws(() => short.issueX509Svid({ id, now: late }), { code: 'identity_expired' });
  assert.throws(() => short.issueX509Svid({ id, now, lifetimeMs: 10 }), RangeError);
  assert.throws(() => short.issueX509Svid({ id, now, lifetimeMs: Number.NaN }), RangeError);
});

test('an authority that outlives 2049, or the calendar, is read back', () => {
  const now = new Date('2049-12-31T23:59:59Z');
  const far = CertificateAuthority.create({ trustDomain, now, lifetimeMs: 9e14 });
  assert.equal(far.certificate.notBefore.getTime(), now.getTime());
  assert.equal(far.certificate.notAfter.toISOString(), '9999-12-31T23:59:59.000Z');
});

test('an ID of another trust domain, or without a path, is not issued', () => {
  for (const other of ['spiffe://other/a', 'spiffe://td', 'spiffe://td.td/a']) {
    assert.throws(() => authority.issueX509Svid({ id: SpiffeId.parse(other) }), { code: 'id_invalid' });
  }
});

test('a key that stays with the workload is signed as it is', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const chain = authority.signX509Svid({ id }, publicKey);
  assert.equal(verifyX509Svid(chain, bundles).leaf.publicKey.equals(publicKey), true);
});

test('an authority that is stored and loaded is the same one', () => {
  const loaded = CertificateAuthority.load(authority.certificatePem, authority.exportPrivateKeyPem());
  assert.equal(loaded.trustDomain.equals(trustDomain), true);
  assert.equal(verifyX509Svid(loaded.issueX509Svid({ id }).chain, bundles).id.equals(id), true);
});

test('a certificate and a key that are no authority together are not loaded', () => {
  const other = CertificateAuthority.create({ trustDomain });
  const keyPem = authority.exportPrivateKeyPem();
  const code = 'key_invalid';
  assert.throws(() => CertificateAuthority.load(authority.certificatePem, other.exportPrivateKeyPem()), {
    code,
  });
  assert.throws(() => CertificateAuthority.load(authority.certificatePem, authority.certificatePem), {
    code,
  });
  assert.throws(() => CertificateAuthority.load(authority.certificatePem, ''), { code });
  assert.throws(() => CertificateAuthority.load('', keyPem), { code: 'certificate_invalid' });
  assert.throws(() => CertificateAuthority.load(authority.certificatePem.repeat(2), keyPem), {
    name: 'SpiffeError',
  });
  const svid = authority.issueX509Svid({ id }).toPem();
  assert.throws(() => CertificateAuthority.load(svid.cert, svid.key), { code: 'certificate_invalid' });
  for (const root of [TestCertificate.root(), TestCertificate.root({ uris: ['https://td'] })]) {
    assert.throws(() => CertificateAuthority.load(toPem('CERTIFICATE', root.der), root.toPem().key), {
      code: 'certificate_invalid',
    });
  }
});

test('serial numbers are 20 octets, positive and different', () => {
  const serials = Array.from({ length: 200 }, createSerialNumber);
  assert.equal(new Set(serials.map((serial) => Buffer.from(serial).toString('hex'))).size, 200);
  for (const serial of serials)
    assert.ok(serial.length === 20 && serial[0] !== undefined && serial[0] > 0 && serial[0] < 0x80);
});
