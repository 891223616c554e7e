import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeExtension } from '../ca/extension.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { hostilePeers } from '../testing/hostile.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { X509BundleSet } from './bundle-set.ts';
import { X509Bundle } from './bundle.ts';
import { Certificate } from './certificate.ts';
import { writeElement } from './der-writer.ts';
import { VerifiedPeer, verifyX509Svid } from './verify.ts';

const uri = 'spiffe://td/workload';
const root = TestCertificate.root({ uris: ['spiffe://td'] });
const bundles = root.bundles('td');

function accepts(leaf: TestCertificate, among = bundles, now?: Date): VerifiedPeer {
  const peer = verifyX509Svid(leaf.chain, among, now === undefined ? {} : { now });
  assert.equal(peer.id.toString(), uri);
  return peer;
}

function refuses(chain: readonly Uint8Array[], message: RegExp, among = bundles, now?: Date): void {
  assert.throws(() => verifyX509Svid(chain, among, now === undefined ? {} : { now }), {
    code: 'chain_invalid',
    message,
  });
}

function setOf(...entries: readonly (readonly [string, ...TestCertificate[]])[]): X509BundleSet {
  return X509BundleSet.of(
    ...entries.map(([name, ...roots]) =>
      X509Bundle.of(
        TrustDomain.parse(name),
        roots.map(({ der }) => Certificate.parse(der)),
      ),
    ),
  );
}

test('X-7 believes a leaf that an authority of its trust domain signed, directly or through intermediates', () => {
  accepts(root.leaf(uri));
  accepts(root.authority().leaf(uri));
  accepts(root.authority().authority().authority().leaf(uri));
});

test('X-7 looks only into the bundle of the trust domain that the ID names', () => {
  const other = TestCertificate.root();
  const both = setOf(['td', root], ['other', other]);
  accepts(root.leaf(uri), both);
  refuses(other.leaf(uri).chain, /no certificate of its issuer/, both);
  refuses(root.leaf('spiffe://other/workload').chain, /no certificate of its issuer/, both);
  assert.equal(verifyX509Svid(other.leaf('spiffe://other/w').chain, both).id.toString(), 'spiffe://other/w');
});

test('X-7 refuses a trust domain of which there is no bundle, and believes nobody for an empty one', () => {
  assert.throws(() => verifyX509Svid(root.leaf('spiffe://unknown/a').chain, bundles), {
    code: 'bundle_unknown',
  });
  refuses(root.leaf(uri).chain, /no certificate of its issuer/, setOf(['td']));
});

test('X-7 gives no leeway after notAfter, before notBefore, or for an authority', () => {
  const at = (text: string) => new Date(text);
  const life = { notBefore: at('2030-01-01T00:00:00Z'), notAfter: at('2030-01-02T00:00:00Z') };
  const longer = { notBefore: at('2029-01-01T00:00:00Z'), notAfter: at('2031-01-01T00:00:00Z') };
  const long = TestCertificate.root(longer);
  const set = long.bundles('td');
  for (const leaf of [long.leaf(uri, life), long.authority(life).leaf(uri, longer)]) {
    accepts(leaf, set, at('2030-01-01T00:00:00Z'));
    accepts(leaf, set, at('2030-01-02T00:00:00Z'));
    refuses(leaf.chain, /expired/, set, at('2030-01-02T00:00:00.001Z'));
    refuses(leaf.chain, /not valid yet/, set, at('2029-12-31T23:59:59.999Z'));
  }
  const short = TestCertificate.root(life);
  refuses(short.leaf(uri, longer).chain, /expired/, short.bundles('td'), at('2030-01-02T00:00:01Z'));
  assert.equal(
    accepts(long.authority(life).leaf(uri, longer), set, life.notBefore).notAfter.getTime(),
    life.notAfter.getTime(),
  );
});

test('X-7 refuses a wrong signature anywhere in the path', () => {
  refuses(root.leaf(uri, { breakSignature: true }).chain, /signature/);
  refuses(root.authority({ breakSignature: true }).leaf(uri).chain, /signature/);
});

test('X-7 refuses a chain whose intermediate is missing, and one that is empty', () => {
  const [leaf] = root.authority().leaf(uri).chain;
  assert.ok(leaf);
  refuses([leaf], /no certificate of its issuer/);
  refuses([], /empty/);
});

test('X-7 takes any of several roots, whatever order intermediates come in, and no root that was taken away', () => {
  const next = TestCertificate.root();
  const both = root.bundles('td', next);
  accepts(root.leaf(uri), both);
  accepts(next.leaf(uri), both);
  refuses(root.leaf(uri).chain, /no certificate of its issuer/, next.bundles('td'));
  const [leaf, ...rest] = root.authority().authority().authority().leaf(uri).chain;
  assert.ok(leaf);
  assert.equal(verifyX509Svid([leaf, ...rest.toReversed()], bundles).id.toString(), uri);
});

test('roots of the same name are told apart by their signatures, with and without key identifiers', () => {
  for (const keyIds of [true, false]) {
    const first = TestCertificate.root({ keyIds, subject: 'same' });
    const second = TestCertificate.root({ keyIds, subject: 'same' });
    const both = first.bundles('td', second);
    accepts(first.leaf(uri, { keyIds }), both);
    accepts(second.leaf(uri, { keyIds }), both);
    accepts(second.authority({ keyIds, subject: 'same' }).leaf(uri, { keyIds }), both);
    refuses(TestCertificate.root({ keyIds, subject: 'same' }).leaf(uri, { keyIds }).chain, /signature/, both);
  }
});

test('a way that leads nowhere does not hide one that does', () => {
  const expired = { notBefore: new Date(0), notAfter: new Date(1000) };
  const good = root.authority({ subject: 'middle' });
  const leaf = good.leaf(uri);
  const [first, ...rest] = leaf.chain;
  assert.ok(first);
  const decoys = [
    TestCertificate.root({ subject: 'middle' }).der,
    root.authority({ subject: 'middle', ...expired }).der,
    root.leaf(uri, { subject: 'middle' }).der,
  ];
  assert.equal(verifyX509Svid([first, ...decoys, ...rest], bundles).id.toString(), uri);
});

test('an intermediate that is itself in the bundle ends the path', () => {
  const middle = TestCertificate.root().authority();
  accepts(middle.leaf(uri), middle.bundles('td'));
});

test('X-8 wants cA and keyCertSign of every issuer', () => {
  accepts(root.authority({ keyUsage: ['keyCertSign', 'cRLSign'] }).leaf(uri));
  refuses(root.authority({ ca: false }).leaf(uri).chain, /cA/);
  refuses(root.authority({ ca: null }).leaf(uri).chain, /cA/);
  refuses(root.authority({ keyUsage: ['cRLSign'] }).leaf(uri).chain, /keyCertSign/);
  refuses(root.authority({ keyUsage: null }).leaf(uri).chain, /keyCertSign/);
  for (const options of [{ ca: false }, { keyUsage: ['digitalSignature'] as const }]) {
    const bad = TestCertificate.root(options);
    refuses(bad.leaf(uri).chain, /cA|keyCertSign/, bad.bundles('td'));
  }
});

test('X-8 takes an authority without an ID or with that of the trust domain, and no other', () => {
  accepts(root.authority().leaf(uri));
  accepts(root.authority({ uris: ['spiffe://td'] }).leaf(uri));
  accepts(root.authority({ uris: ['https://example.org/ca'] }).leaf(uri));
  for (const uris of [
    ['spiffe://td/path'],
    ['spiffe://other'],
    ['SPIFFE://td'],
    ['spiffe:td'],
    ['spiffe://td', 'https://example.org'],
    ['spiffe://td', 'spiffe://td'],
  ]) {
    refuses(root.authority({ uris }).leaf(uri).chain, /SPIFFE ID/);
  }
});

test('X-8 refuses an authority that authenticates as a peer', () => {
  const code = 'svid_invalid';
  assert.throws(() => verifyX509Svid(root.authority({ uris: ['spiffe://td'] }).chain, bundles), { code });
  assert.throws(() => verifyX509Svid(root.authority({ uris: [uri] }).chain, bundles), { code });
  assert.throws(() => verifyX509Svid([root.der], bundles), { code });
});

test('the path length that an authority allows is kept, self-issued authorities not counted', () => {
  const narrow = TestCertificate.root({ pathLength: 0 });
  accepts(narrow.leaf(uri), narrow.bundles('td'));
  refuses(narrow.authority().leaf(uri).chain, /longer/, narrow.bundles('td'));
  const one = root.authority({ pathLength: 1 });
  accepts(one.authority().leaf(uri));
  refuses(one.authority().authority().leaf(uri).chain, /longer/);
  const same = TestCertificate.root({ pathLength: 0, subject: 'same' });
  accepts(same.authority({ subject: 'same' }).leaf(uri), same.bundles('td'));
});

test('a critical extension that is not understood is refused anywhere, another one is not', () => {
  const unknown = (critical: boolean) => ({
    extensions: [writeExtension('1.3.6.1.4.1.55555.1', critical, writeElement(0x05))],
  });
  accepts(root.authority(unknown(false)).leaf(uri, unknown(false)));
  refuses(root.authority(unknown(true)).leaf(uri).chain, /critical/);
  assert.throws(() => verifyX509Svid(root.leaf(uri, unknown(true)).chain, bundles), { code: 'svid_invalid' });
  const bad = TestCertificate.root(unknown(true));
  refuses(bad.leaf(uri).chain, /critical/, bad.bundles('td'));
});

test('signatures are ECDSA, RSA or Ed25519 over SHA-2', () => {
  for (const signature of ['ecdsa-sha256', 'ecdsa-sha384', 'ecdsa-sha512'] as const)
    accepts(root.leaf(uri, { signature }));
  refuses(root.leaf(uri, { signature: 'ecdsa-sha1' }).chain, /not accepted/);
  refuses(root.authority({ signature: 'ecdsa-sha1' }).leaf(uri).chain, /not accepted/);
  const rsa = TestCertificate.root({ key: 'rsa2048' });
  const rsaBundles = rsa.bundles('td');
  for (const signature of ['rsa-sha256', 'rsa-sha384', 'rsa-sha512', 'pss-sha256', 'pss-sha512'] as const) {
    accepts(rsa.leaf(uri, { signature }), rsaBundles);
  }
  for (const signature of ['rsa-sha1', 'rsa-md5', 'pss-short-salt'] as const) {
    refuses(rsa.leaf(uri, { signature }).chain, /not accepted/, rsaBundles);
  }
  for (const key of ['p384', 'p521', 'ed25519'] as const) {
    const other = TestCertificate.root({ key });
    accepts(other.leaf(uri), other.bundles('td'));
  }
  for (const key of ['rsa1024', 'secp256k1'] as const) {
    const weak = TestCertificate.root({ key });
    refuses(weak.leaf(uri).chain, /kind or size/, weak.bundles('td'));
  }
});

test('a signature algorithm that differs inside and outside of the signed part is refused', () => {
  const leaf = root.leaf(uri, { outerSignature: 'ecdsa-sha384' });
  assert.throws(() => verifyX509Svid(leaf.chain, bundles), {
    code: 'certificate_invalid',
    message: /differ/,
  });
});

test('a chain of hundreds of same-named intermediates costs a bounded number of signature checks', () => {
  const many = Array.from({ length: 15 }, () => TestCertificate.root({ subject: 'same', keyIds: false }).der);
  const [leaf] = TestCertificate.root({ subject: 'same', keyIds: false }).leaf(uri).chain;
  assert.ok(leaf);
  const same = TestCertificate.root({ subject: 'same', keyIds: false });
  refuses([leaf, ...many], /signature|too many/, same.bundles('td'));
  refuses([leaf, ...many, ...many], /longer than 16/, same.bundles('td'));
});

test('certificates that all sign one another are not tried in every order', () => {
  const same = TestCertificate.root({ subject: 'same', keyIds: false });
  const options = { subject: 'same', keyIds: false, privateKey: same.privateKey };
  const knot = Array.from({ length: 14 }, () => TestCertificate.root(options).der);
  const [leaf] = same.leaf(uri, { keyIds: false }).chain;
  assert.ok(leaf);
  const started = performance.now();
  refuses([leaf, ...knot], /too many/, TestCertificate.root({ subject: 'same' }).bundles('td'));
  assert.ok(performance.now() - started < 1000);
});

test('a signature is checked by the algorithm that is named, not by the key that is found', () => {
  const rsa = TestCertificate.root({ key: 'rsa2048' });
  refuses(rsa.leaf(uri, { signature: 'ecdsa-sha256' }).chain, /signature/, rsa.bundles('td'));
});

test('every hostile peer of the catalogue is refused, and the same authority is believed for an honest one', () => {
  for (const hostile of hostilePeers) {
    assert.throws(
      () => verifyX509Svid(hostile.make(root, uri).chain, bundles),
      { name: 'SpiffeError' },
      `accepted: ${hostile.why}`,
    );
  }
  accepts(root.leaf(uri));
});

test('only the verifier makes a verified peer', () => {
  const peer = accepts(root.authority().leaf(uri));
  assert.equal(peer.intermediates.length, 1);
  assert.equal(verifyX509Svid([peer.leaf, ...peer.intermediates], bundles).id.equals(peer.id), true);
  // @ts-expect-error the constructor is private
  assert.ok(() => new VerifiedPeer(peer.id, [], [peer.leaf]));
  const { id, leaf, intermediates, notAfter, authority } = peer;
  // @ts-expect-error what looks like one is none
  const alike: VerifiedPeer = { id, leaf, intermediates, notAfter, authority };
  assert.equal(alike instanceof VerifiedPeer, false);
});
