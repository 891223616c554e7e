import { writeExtension } from '../ca/extension.ts';
import { writeElement, writeSequence } from '../x509/der-writer.ts';
import { oid } from '../x509/oid.ts';
import { TestCertificate } from './test-certificate.ts';

/** A peer that nobody may believe, and why. `make` gives what it would present to a verifier that trusts `root`. */
export interface HostilePeer {
  readonly why: string;
  make(root: TestCertificate, uri: string): TestCertificate;
}

const day = 86_400_000;
const unknownCritical = () => writeExtension('1.3.6.1.4.1.55555.1', true, writeElement(0x05));

/**
 * Every kind of peer that a SPIFFE verifier has to refuse when it trusts `root` for the trust domain of `uri`. Some
 * are refused by OpenSSL too, most are not. For tests: run each against your server and expect no request to arrive.
 */
export const hostilePeers: readonly HostilePeer[] = [
  { why: 'signed by another authority', make: (_root, uri) => TestCertificate.root().leaf(uri) },
  {
    why: 'signed by another authority of the same name',
    make: (root, uri) => TestCertificate.root({ subject: root.subject }).leaf(uri),
  },
  { why: 'a wrong signature', make: (root, uri) => root.leaf(uri, { breakSignature: true }) },
  { why: 'expired', make: (root, uri) => root.leaf(uri, { notBefore: ago(2), notAfter: ago(1) }) },
  { why: 'not valid yet', make: (root, uri) => root.leaf(uri, { notBefore: ago(-1), notAfter: ago(-2) }) },
  { why: 'two URI names', make: (root, uri) => root.leaf(uri, { uris: [uri, uri + '/two'] }) },
  { why: 'the same URI name twice', make: (root, uri) => root.leaf(uri, { uris: [uri, uri] }) },
  { why: 'no URI name', make: (root, uri) => root.leaf(uri, { uris: [] }) },
  { why: 'a URI that is no SPIFFE ID', make: (root) => root.leaf('https://example.org/workload') },
  { why: 'an ID without a path', make: (root, uri) => root.leaf(uri.split('/').slice(0, 3).join('/')) },
  { why: 'an ID in capitals', make: (root, uri) => root.leaf(uri.replace('spiffe:', 'SPIFFE:')) },
  { why: 'an ID of another trust domain', make: (root) => root.leaf('spiffe://other.example/workload') },
  { why: 'a leaf that is an authority', make: (root, uri) => root.leaf(uri, { ca: true }) },
  {
    why: 'a leaf that may sign certificates',
    make: (root, uri) => root.leaf(uri, { keyUsage: ['digitalSignature', 'keyCertSign'] }),
  },
  {
    why: 'a leaf that may sign revocation lists',
    make: (root, uri) => root.leaf(uri, { keyUsage: ['digitalSignature', 'cRLSign'] }),
  },
  { why: 'a leaf for clients only', make: (root, uri) => root.leaf(uri, { extKeyUsage: [oid.clientAuth] }) },
  { why: 'a leaf for servers only', make: (root, uri) => root.leaf(uri, { extKeyUsage: [oid.serverAuth] }) },
  {
    why: 'an unknown critical extension',
    make: (root, uri) => root.leaf(uri, { extensions: [unknownCritical()] }),
  },
  {
    why: 'an unknown critical extension on an intermediate',
    make: (root, uri) => root.authority({ extensions: [unknownCritical()] }).leaf(uri),
  },
  {
    why: 'an empty subject and a name that is not critical',
    make: (root, uri) => root.leaf(uri, { subject: writeSequence() }),
  },
  { why: 'issued by a leaf', make: (root, uri) => root.leaf(uri).leaf(uri) },
  {
    why: 'issued by an intermediate that may not sign certificates',
    make: (root, uri) => root.authority({ keyUsage: ['digitalSignature'] }).leaf(uri),
  },
  {
    why: 'issued by an intermediate that is no authority',
    make: (root, uri) => root.authority({ ca: false }).leaf(uri),
  },
  {
    why: 'issued by an expired intermediate',
    make: (root, uri) => root.authority({ notBefore: ago(2), notAfter: ago(1) }).leaf(uri),
  },
  {
    why: 'a path that is longer than an authority allows',
    make: (root, uri) => root.authority({ pathLength: 0 }).authority().leaf(uri),
  },
  {
    why: 'a name outside of the constraints of an authority',
    make: (root, uri) =>
      root.authority({ permitted: [writeElement(0x86, Buffer.from('other.example'))] }).leaf(uri),
  },
  {
    why: 'issued by an authority that has the ID of another trust domain',
    make: (root, uri) => root.authority({ uris: ['spiffe://other.example'] }).leaf(uri),
  },
  {
    why: 'issued by an authority that has the ID of a workload',
    make: (root, uri) => root.authority({ uris: [uri] }).leaf(uri),
  },
  { why: 'signed over SHA-1', make: (root, uri) => root.authority().leaf(uri, { signature: 'ecdsa-sha1' }) },
  { why: 'an RSA key of 1024 bits', make: (root, uri) => root.leaf(uri, { key: 'rsa1024' }) },
  { why: 'a key on another curve', make: (root, uri) => root.leaf(uri, { key: 'secp256k1' }) },
];

function ago(days: number): Date {
  return new Date(Date.now() - days * day);
}
