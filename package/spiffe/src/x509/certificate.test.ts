import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { writeDnsName, writeExtension, writeSubjectAltName, writeUriName } from '../ca/extension.ts';
import { TestCertificate, type TestCertificateOptions } from '../testing/test-certificate.ts';
import { Certificate } from './certificate.ts';
import { writeElement, writeSequence, writeSmallInteger } from './der-writer.ts';
import { oid } from './oid.ts';

const uri = 'spiffe://td/workload';
const root = TestCertificate.root();

function refuses(der: Uint8Array, message: RegExp): void {
  assert.throws(() => Certificate.parse(der), { name: 'SpiffeError', code: 'certificate_invalid', message });
}

function refusesWith(options: TestCertificateOptions, message: RegExp): void {
  refuses(root.leaf(uri, options).der, message);
}

test('a certificate is read as node:crypto reads it', () => {
  for (const key of ['p256', 'p384', 'rsa2048', 'ed25519'] as const) {
    const issuer = root.authority({ key });
    const made = issuer.leaf(uri, { key, names: [writeDnsName('host.example')] });
    const ours = Certificate.parse(made.der);
    const theirs = new X509Certificate(made.der);
    assert.equal(theirs.subjectAltName, `URI:${ours.uris[0]}, DNS:${ours.dnsNames[0]}`);
    assert.equal(theirs.validFromDate.getTime(), ours.notBefore.getTime());
    assert.equal(theirs.validToDate.getTime(), ours.notAfter.getTime());
    assert.equal(theirs.serialNumber.toLowerCase(), Buffer.from(ours.serialNumber).toString('hex'));
    assert.equal(theirs.publicKey.equals(ours.publicKey), true);
    const parent = Certificate.parse(issuer.der);
    assert.equal(theirs.checkIssued(new X509Certificate(issuer.der)), true);
    assert.equal(theirs.verify(parent.publicKey), ours.isSignedBy(parent));
    assert.equal(ours.isSignedBy(parent), true);
    assert.equal(ours.isSignedBy(Certificate.parse(root.der)), false);
  }
});

test('an extension that occurs twice is refused, known or not', () => {
  refusesWith({ extensions: [writeSubjectAltName(false, writeUriName('spiffe://td/other'))] }, /twice/);
  const unknown = writeExtension('1.2.3.4', false, writeElement(0x05));
  refusesWith({ extensions: [unknown, unknown] }, /twice/);
  assert.doesNotThrow(() => Certificate.parse(root.leaf(uri, { extensions: [unknown] }).der));
});

test('bytes after a certificate or inside of an extension are refused', () => {
  const { der } = root.leaf(uri);
  refuses(Buffer.concat([der, Uint8Array.of(0)]), /left over/);
  refuses(der.subarray(0, -1), /beyond/);
  refuses(new Uint8Array(), /certificate/);
  const trailing = Buffer.concat([writeSequence(), writeElement(0x05)]);
  refusesWith({ ca: null, extensions: [writeExtension(oid.basicConstraints, true, trailing)] }, /left over/);
});

test('a path length of what is no authority, and malformed values of extensions, are refused', () => {
  refusesWith({ ca: false, pathLength: 0 }, /path length/);
  const value = (type: string, der: Uint8Array) => ({
    ca: null,
    keyUsage: null,
    extKeyUsage: null,
    extensions: [writeExtension(type, false, der)],
  });
  refusesWith(value(oid.keyUsage, writeElement(0x03, Uint8Array.of(0, 1, 2, 3))), /more bits/);
  refusesWith(value(oid.extKeyUsage, writeSequence()), /empty/);
  refusesWith({ uris: [], extensions: [writeSubjectAltName(false)] }, /empty/);
  refusesWith({ names: [writeElement(0x87, Uint8Array.of(1, 2, 3))] }, /address/);
  refusesWith({ names: [writeElement(0x89, Uint8Array.of(1))] }, /form/);
  refusesWith({ names: [writeElement(0x86, Uint8Array.of(0x80))] }, /ASCII/);
});

test('too many extensions, and a certificate that is too large, are refused before they cost much', () => {
  const extensions = Array.from({ length: 70 }, (_, i) =>
    writeExtension(`1.2.3.${i}`, false, writeElement(0x05)),
  );
  refusesWith({ extensions }, /too many/);
  refuses(new Uint8Array(65_537), /larger/);
});

test('a certificate of version 1 has no extensions', () => {
  const { der } = root.leaf(uri);
  const version3 = Buffer.from(writeElement(0xa0, writeSmallInteger(2)));
  const at = Buffer.from(der).indexOf(version3);
  const other = (version: number) => {
    const copy = Buffer.from(der);
    copy[at + version3.length - 1] = version;
    return copy;
  };
  refuses(other(1), /version 3/);
  refuses(other(0), /version/);
  refuses(other(3), /version/);
});

test('what is read is a copy', () => {
  const der = Buffer.from(root.leaf(uri).der);
  const certificate = Certificate.parse(der);
  der.fill(0);
  assert.equal(certificate.uris[0], uri);
  assert.equal(certificate.isSignedBy(Certificate.parse(root.der)), true);
});

test('certificates that follow one another are read, up to a number', () => {
  const three = Buffer.concat([root.der, root.leaf(uri).der, root.der]);
  assert.equal(Certificate.parseAll(three, 3).length, 3);
  assert.equal(Certificate.parseAll(new Uint8Array(), 3).length, 0);
  assert.throws(() => Certificate.parseAll(three, 2), {
    code: 'certificate_invalid',
    message: /more than 2/,
  });
  assert.throws(() => Certificate.parseAll(three.subarray(0, -1), 3), { code: 'certificate_invalid' });
});
