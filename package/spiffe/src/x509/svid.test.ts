import assert from 'node:assert/strict';
import { createSecureContext } from 'node:tls';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { X509Svid } from './svid.ts';

const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('td') }).createIntermediate();
const svid = authority.issueX509Svid({ id: SpiffeId.parse('spiffe://td/a'), hint: 'one' });

test('an SVID survives the forms of the Workload API and PEM', () => {
  const der = X509Svid.parse(svid.toChainDer(), svid.toKeyDer(), 'one');
  assert.equal(der.equals(svid), true);
  assert.equal(der.chain.length, 2);
  const { cert, key } = svid.toPem();
  const pem = X509Svid.parsePem(cert, key, 'one');
  assert.equal(pem.equals(svid), true);
  assert.equal(pem.privateKey.equals(svid.privateKey), true);
  assert.equal(X509Svid.parsePem(cert + key, cert + key, 'other').equals(svid), false);
  assert.doesNotThrow(() => createSecureContext({ cert, key }));
});

test('a key that belongs to another certificate is refused, and so is what is not a key', () => {
  const other = authority.issueX509Svid({ id: svid.id });
  const code = 'key_invalid';
  assert.throws(() => X509Svid.parse(svid.toChainDer(), other.toKeyDer()), { code: 'key_invalid' });
  assert.throws(() => X509Svid.parse(svid.toChainDer(), new Uint8Array(10)), { code });
  assert.throws(() => X509Svid.parse(svid.toChainDer(), new Uint8Array()), { code });
  assert.throws(() => X509Svid.parsePem(svid.toPem().cert, ''), { code });
  assert.throws(() => X509Svid.parsePem(svid.toPem().cert, other.toPem().key), { code });
  assert.throws(() => X509Svid.parsePem('-----BEGIN ', svid.toPem().key), { code: 'svid_invalid' });
});

test('the rules for a leaf hold for an identity of our own', () => {
  const root = TestCertificate.root();
  const key = (leaf: TestCertificate) =>
    new Uint8Array(leaf.privateKey.export({ type: 'pkcs8', format: 'der' }));
  const good = root.leaf('spiffe://td/a');
  assert.equal(X509Svid.parse(good.der, key(good)).id.toString(), 'spiffe://td/a');
  for (const leaf of [root.leaf('spiffe://td'), root.leaf('spiffe://td/a', { ca: true }), root.authority()]) {
    assert.throws(() => X509Svid.parse(leaf.der, key(leaf)), { code: 'svid_invalid' });
  }
  assert.throws(() => X509Svid.parse(new Uint8Array(), key(good)), {
    code: 'svid_invalid',
    message: /empty/,
  });
  const many = Buffer.concat(Array.from({ length: 17 }, () => good.der));
  assert.throws(() => X509Svid.parse(many, key(good)), { code: 'svid_invalid' });
});

test('neither printing an SVID nor an error about its key shows the key', () => {
  const secret = Buffer.from(svid.toKeyDer()).subarray(36, 68);
  const shown = inspect(svid, { depth: 9, showHidden: true }) + JSON.stringify(svid);
  assert.equal(shown.includes(secret.toString('hex')), false);
  assert.equal(shown.includes(secret.toString('base64').slice(0, 20)), false);
  const broken = svid.toKeyDer().slice(0, -3);
  assert.throws(
    () => X509Svid.parse(svid.toChainDer(), broken),
    (error: Error) => error.cause === undefined,
  );
});
