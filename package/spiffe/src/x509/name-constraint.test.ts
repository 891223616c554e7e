import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeName } from '../ca/draft.ts';
import { writeDnsName, writeExtension, writeUriName } from '../ca/extension.ts';
import { TestCertificate, type TestCertificateOptions } from '../testing/test-certificate.ts';
import { writeElement, writeOid, writeSequence, writeText } from './der-writer.ts';
import { oid } from './oid.ts';
import { verifyX509Svid } from './verify.ts';

const uri = 'spiffe://a.td/workload';
const root = TestCertificate.root();
const bundles = root.bundles('a.td');

const email = (text: string) => writeElement(0x81, Buffer.from(text));
const ip = (...octets: readonly number[]) => writeElement(0x87, Uint8Array.from(octets));
const directory = (name: Uint8Array) => writeElement(0xa4, name);
const otherName = writeElement(0xa0, writeOid('1.2.3'), writeElement(0xa0, writeElement(0x05)));

function check(limits: TestCertificateOptions, leaf: TestCertificateOptions = {}): void {
  verifyX509Svid(root.authority(limits).leaf(uri, leaf).chain, bundles);
}

function accepts(limits: TestCertificateOptions, leaf?: TestCertificateOptions): void {
  assert.doesNotThrow(() => check(limits, leaf));
}

function refuses(limits: TestCertificateOptions, leaf?: TestCertificateOptions): void {
  assert.throws(() => check(limits, leaf), { code: 'chain_invalid', message: /a name/ });
}

test('X-9 a constraint on URIs is about the trust domain of the ID', () => {
  const only = (host: string) => ({ permitted: [writeUriName(host)] });
  const never = (host: string) => ({ excluded: [writeUriName(host)] });
  accepts(only('a.td'));
  accepts(only('A.TD'));
  accepts(only('.td'));
  refuses(only('td'));
  refuses(only('b.td'));
  refuses(only('.a.td'));
  refuses(only(''));
  refuses(only('spiffe://a.td'));
  accepts({ permitted: [writeUriName('b.td'), writeUriName('a.td')] });
  refuses(never('a.td'));
  refuses(never('.td'));
  refuses(never(''));
  accepts(never('b.td'));
  refuses({ ...only('a.td'), ...never('.td') });
});

test('X-9 constraints bind every certificate below, and those of every authority above hold', () => {
  const only = (host: string) => ({ permitted: [writeUriName(host)] });
  const leaf = (...limits: readonly TestCertificateOptions[]) =>
    limits.reduce((issuer, options) => issuer.authority(options), root).leaf(uri).chain;
  assert.doesNotThrow(() => verifyX509Svid(leaf(only('.td'), only('a.td')), bundles));
  assert.throws(() => verifyX509Svid(leaf(only('b.td'), only('a.td')), bundles), { code: 'chain_invalid' });
  assert.throws(() => verifyX509Svid(leaf(only('a.td'), only('b.td')), bundles), { code: 'chain_invalid' });
  const limited = TestCertificate.root(only('b.td'));
  assert.throws(() => verifyX509Svid(limited.leaf(uri).chain, limited.bundles('a.td')), {
    code: 'chain_invalid',
  });
});

test('X-9 constraints on forms of names that do not occur do not matter', () => {
  accepts({
    permitted: [writeDnsName('example.org')],
    excluded: [email('x@y'), ip(0, 0, 0, 0, 0, 0, 0, 0), otherName],
  });
});

test('X-9 constraints on DNS names cover what is below, and wildcards on both sides', () => {
  const host = (name: string) => ({ names: [writeDnsName(name)] });
  const only = { permitted: [writeDnsName('example.org')] };
  accepts(only, host('example.org'));
  accepts(only, host('a.b.EXAMPLE.org'));
  accepts(only, host('*.example.org'));
  refuses(only, host('badexample.org'));
  refuses(only, host('org'));
  refuses(only, host('bad host'));
  accepts({ permitted: [writeDnsName('.example.org')] }, host('a.example.org'));
  refuses({ permitted: [writeDnsName('.example.org')] }, host('example.org'));
  const never = { excluded: [writeDnsName('a.example.org')] };
  refuses(never, host('a.example.org'));
  refuses(never, host('b.a.example.org'));
  refuses(never, host('*.example.org'));
  accepts(never, host('b.example.org'));
  refuses({ excluded: [writeDnsName('')] }, host('b.example.org'));
});

test('X-9 constraints on addresses are ranges of one family', () => {
  const host = (...octets: readonly number[]) => ({ names: [ip(...octets)] });
  const only = { permitted: [ip(10, 1, 0, 0, 255, 255, 0, 0)] };
  accepts(only, host(10, 1, 2, 3));
  refuses(only, host(10, 2, 2, 3));
  refuses(only, host(...Array.from({ length: 16 }, () => 0)));
  refuses({ permitted: [ip(10, 1, 0, 0, 255, 0, 255, 0)] }, host(10, 1, 2, 3));
  refuses({ excluded: [ip(10, 1, 0, 0, 255, 0, 255, 0)] }, host(99, 1, 2, 3));
  refuses({ excluded: [ip(1, 2, 3)] }, host(99, 1, 2, 3));
  refuses({ excluded: [ip(10, 1, 0, 0, 255, 255, 0, 0)] }, host(10, 1, 9, 9));
  accepts({ excluded: [ip(10, 1, 0, 0, 255, 255, 0, 0)] }, host(10, 2, 9, 9));
});

test('X-9 constraints on mailboxes cover a mailbox, a host or the hosts below a domain, in subjects too', () => {
  const box = (text: string) => ({ names: [email(text)] });
  accepts({ permitted: [email('me@example.org')] }, box('me@EXAMPLE.org'));
  refuses({ permitted: [email('me@example.org')] }, box('Me@example.org'));
  accepts({ permitted: [email('example.org')] }, box('any@example.org'));
  refuses({ permitted: [email('example.org')] }, box('any@a.example.org'));
  accepts({ permitted: [email('.example.org')] }, box('any@a.example.org'));
  refuses({ excluded: [email('example.org')] }, box('"quoted@evil"@example.org'));
  refuses({ excluded: [email('example.org')] }, box('any@example.org.'));
  refuses({ excluded: [email('example.org')] }, box('any@example.org '));
  refuses({ permitted: [email('.example.org')] }, box('any@.example.org'));
  const subject = writeSequence(
    writeElement(0x31, writeSequence(writeOid(oid.emailAddress), writeText(0x16, 'me@example.org'))),
  );
  refuses({ excluded: [email('example.org')] }, { subject });
});

test('X-9 constraints on directory names are prefixes, compared without regard to case and type of string', () => {
  const name = (...pairs: readonly (readonly [string, string])[]) => writeName(...pairs);
  const subject = name([oid.organization, 'Org'], [oid.commonName, 'me']);
  accepts({ permitted: [directory(name([oid.organization, 'Org']))] }, { subject });
  accepts({ permitted: [directory(name([oid.organization, ' ORG ']))] }, { subject });
  refuses({ permitted: [directory(name([oid.organization, 'Other']))] }, { subject });
  refuses({ permitted: [directory(name([oid.commonName, 'me']))] }, { subject });
  refuses({ excluded: [directory(name([oid.organization, 'oRG']))] }, { subject });
  accepts({ excluded: [directory(name([oid.organization, 'Other']))] }, { subject });
});

test('X-9 constraints that cannot be compared refuse the names that they are about', () => {
  refuses({ permitted: [otherName] }, { names: [otherName] });
  refuses({ excluded: [otherName] }, { names: [otherName] });
  accepts({ excluded: [otherName] });
});

test('X-9 a minimum or maximum of a constraint, and constraints on nothing, are refused', () => {
  const limits = (value: Uint8Array) => ({ extensions: [writeExtension(oid.nameConstraints, true, value)] });
  const subtree = (...rest: readonly Uint8Array[]) =>
    writeSequence(writeElement(0xa0, writeSequence(writeUriName('a.td'), ...rest)));
  accepts(limits(subtree()));
  for (const value of [
    subtree(writeElement(0x80, Uint8Array.of(0))),
    writeSequence(),
    writeSequence(writeElement(0xa0)),
  ]) {
    assert.throws(() => check(limits(value)), { code: 'certificate_invalid' });
  }
});

test('names and constraints on them are compared a bounded number of times', () => {
  const names = Array.from({ length: 1500 }, (_, i) => writeDnsName(`host${i}.example.org`));
  const limits = Array.from({ length: 500 }, (_, i) => writeDnsName(`other${i}.example.org`));
  assert.throws(() => check({ excluded: limits }, { names }), { code: 'chain_invalid', message: /too many/ });
  // Nor anew for each path: these authorities have one name and one key, and only the last lets the leaf pass.
  const never = [...limits.slice(0, 100), writeDnsName('host1499.example.org')];
  const first = root.authority({ excluded: never, subject: 'same' });
  const again = (excluded: readonly Uint8Array[]) =>
    root.authority({ excluded, subject: 'same', privateKey: first.privateKey });
  const leaf = first.leaf(uri, { names });
  const verify = (...issuers: readonly TestCertificate[]) =>
    verifyX509Svid([leaf.der, ...issuers.map(({ der }) => der)], bundles);
  const last = again(limits.slice(0, 1));
  assert.doesNotThrow(() => verify(first, last));
  assert.throws(() => verify(first, again(never), last), { code: 'chain_invalid' });
});
