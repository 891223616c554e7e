import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeDnsName } from '../ca/extension.ts';
import { TestCertificate, type TestCertificateOptions } from '../testing/test-certificate.ts';
import { writeElement, writeSequence } from './der-writer.ts';
import { oid } from './oid.ts';
import { verifyX509Svid } from './verify.ts';

const uri = 'spiffe://td/workload';
const root = TestCertificate.root();
const bundles = root.bundles('td');

function accepts(options: TestCertificateOptions, id = uri): void {
  assert.equal(verifyX509Svid(root.leaf(id, options).chain, bundles).id.toString(), id);
}

function refuses(options: TestCertificateOptions, message: RegExp, id = uri): void {
  assert.throws(() => verifyX509Svid(root.leaf(id, options).chain, bundles), {
    code: 'svid_invalid',
    message,
  });
}

test('X-1 wants exactly one URI name, among as many others as there are', () => {
  accepts({});
  accepts({ names: [writeDnsName('host.example'), writeElement(0x87, Uint8Array.of(127, 0, 0, 1))] });
  refuses({ uris: [] }, /0 URI names/);
  refuses({ uris: [], names: [writeDnsName('host.example')] }, /0 URI names/);
  refuses({ uris: [uri, 'spiffe://td/other'] }, /2 URI names/);
  refuses({ uris: [uri, uri] }, /2 URI names/);
  refuses({ uris: [uri, 'https://example.org'] }, /2 URI names/);
});

test('X-2 refuses a leaf whose ID has no path, and what is not an ID', () => {
  refuses({}, /no path/, 'spiffe://td');
  refuses({}, /not an X.509-SVID/, 'https://td/workload');
  refuses({}, /slash/, 'spiffe://td/');
  refuses({}, /letters/, 'spiffe://td/a%2fb');
});

test('X-3 refuses a leaf whose basicConstraints say cA=true, even without keyCertSign', () => {
  accepts({ ca: false });
  refuses({ ca: true }, /cA=true/);
  refuses({ ca: true, keyUsage: null }, /cA=true/);
});

test('X-3 takes absent basicConstraints for cA=false', () => {
  accepts({ ca: null });
});

test('X-4 refuses a leaf that may sign certificates or revocation lists, or may not sign at all', () => {
  accepts({ keyUsage: ['digitalSignature'] });
  accepts({ keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] });
  accepts({ keyUsage: null });
  refuses({ keyUsage: ['digitalSignature', 'keyCertSign'] }, /keyCertSign/);
  refuses({ keyUsage: ['digitalSignature', 'cRLSign'] }, /cRLSign/);
  refuses({ keyUsage: ['keyCertSign'] }, /keyCertSign/);
  refuses({ keyUsage: ['keyEncipherment'] }, /digitalSignature/);
  refuses({ keyUsage: [] }, /digitalSignature/);
});

test('X-5 wants both server and client in an extended key usage that is there', () => {
  accepts({ extKeyUsage: [oid.serverAuth, oid.clientAuth] });
  accepts({ extKeyUsage: [oid.serverAuth, oid.clientAuth, '1.3.6.1.5.5.7.3.3'] });
  accepts({ extKeyUsage: null });
  refuses({ extKeyUsage: [oid.serverAuth] }, /both/);
  refuses({ extKeyUsage: [oid.clientAuth] }, /both/);
  refuses({ extKeyUsage: ['2.5.29.37.0'] }, /both/);
});

test('X-6 takes an empty subject when the alternative name is critical', () => {
  accepts({ subject: writeSequence(), subjectAltNameCritical: true });
  accepts({ subjectAltNameCritical: true });
  refuses({ subject: writeSequence() }, /critical/);
});

test('a leaf has a key that is accepted: three curves, RSA from 2048 bits, Ed25519', () => {
  for (const key of ['p256', 'p384', 'p521', 'rsa2048', 'ed25519'] as const) accepts({ key });
  refuses({ key: 'rsa1024' }, /key/);
  refuses({ key: 'secp256k1' }, /key/);
});
