import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseBundleMap } from '../bundle/bundle-map.ts';
import { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { writeDnsName, writeUriName } from '../ca/extension.ts';
import { SpiffeError } from '../error.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { Certificate } from '../x509/certificate.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { toPem } from '../x509/pem.ts';
import { verifyX509Svid } from '../x509/verify.ts';
import { mutate } from './mutation.ts';
import { TestCertificate } from './test-certificate.ts';

/** One reading of hostile input takes no longer than this, whatever the input. */
const longestMs = 250;

const trustDomain = TrustDomain.parse('td');

function survives(read: () => unknown): void {
  const started = performance.now();
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof SpiffeError, `threw ${String(error)}`);
  }
  assert.ok(performance.now() - started < longestMs, 'took too long');
}

/** Mutated certificates, alone, in chains and in PEM: nothing but a SpiffeError comes out, and soon. */
export function fuzzCertificates(numRuns: number): void {
  const root = TestCertificate.root({ uris: ['spiffe://td'] });
  const limited = root.authority({
    pathLength: 1,
    permitted: [writeUriName('td')],
    excluded: [writeDnsName('x')],
  });
  const leaf = limited.leaf('spiffe://td/a', { names: [writeDnsName('host.example')] });
  const rsa = TestCertificate.root({ key: 'rsa2048' }).leaf('spiffe://td/b', { signature: 'pss-sha256' });
  const bundles = root.bundles('td');
  const honest = verifyX509Svid(leaf.chain, bundles);
  fc.assert(
    fc.property(mutate([leaf.der, limited.der, root.der, rsa.der]), (der) => {
      survives(() => Certificate.parse(der).publicKey);
      survives(() => {
        // Nothing but the honest leaf is believed, however little was changed.
        const peer = verifyX509Svid([der, ...leaf.chain.slice(1)], bundles);
        assert.ok(peer.leaf.equals(honest.leaf));
      });
      survives(() => X509Bundle.parse(trustDomain, der));
      survives(() => X509Bundle.parsePem(trustDomain, toPem('CERTIFICATE', der)));
    }),
    { numRuns },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (der) => survives(() => Certificate.parse(der))),
    { numRuns },
  );
}

/** Mutated documents: nothing but a SpiffeError comes out, and what is read can be written and read again. */
export function fuzzBundles(numRuns: number): void {
  const root = Certificate.parse(TestCertificate.root().der);
  const jwtAuthorities = [{ keyId: 'a', jwk: { kty: 'EC', x: 'A' } }];
  const bundle = new SpiffeBundle(trustDomain, {
    x509Authorities: [root],
    jwtAuthorities,
    sequence: 7n,
    refreshHintSec: 5,
  });
  const seeds = [
    bundle.marshal(),
    `{"trust_domains":{"td":${bundle.marshal()}}}`,
    '{"keys":[{"kty":"EC","use":"jwt-svid","kid":"k","x":"\\u0041","more":[{"a":[1,2,{"b":null}]}]}],"spiffe_sequence":1}',
  ].map((text) => Buffer.from(text));
  fc.assert(
    fc.property(mutate(seeds), (bytes) => {
      const text = Buffer.from(bytes).toString('utf8');
      survives(() => {
        const read = SpiffeBundle.parse(trustDomain, text);
        assert.equal(SpiffeBundle.parse(trustDomain, read.marshal()).marshal(), read.marshal());
      });
      survives(() => parseBundleMap(text));
    }),
    { numRuns },
  );
}
