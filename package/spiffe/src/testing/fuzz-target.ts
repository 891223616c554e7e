import assert from 'node:assert/strict';
import { parseBundleMap } from '../bundle/bundle-map.ts';
import { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { JwtAuthority } from '../ca/jwt-authority.ts';
import { writeDnsName, writeUriName } from '../ca/extension.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame, FrameReader } from '../grpc/frame.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { JwtBundle, JwtBundleSet } from '../jwt/bundle.ts';
import { JwtSvid } from '../jwt/svid.ts';
import { verifyJwtSvid } from '../jwt/verify.ts';
import { parseEndpoint } from '../workload/endpoint.ts';
import {
  jwtSvidRequestSchema,
  jwtSvidResponseSchema,
  validateJwtSvidResponseSchema,
  x509BundlesResponseSchema,
  x509SvidResponseSchema,
} from '../workload/message.ts';
import { Certificate } from '../x509/certificate.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { verifyX509Svid } from '../x509/verify.ts';
import type { FuzzTarget } from './fuzz-run.ts';
import { authorityKey, keyFor, signToken } from './jwt.ts';
import { TestCertificate } from './test-certificate.ts';

const expects = (error: unknown): boolean => error instanceof SpiffeError;
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const trustDomain = TrustDomain.parse('td');

/** Every parser of the library, with what it reads. Made when asked for, because it makes keys. */
export function createSpiffeTargets(): readonly FuzzTarget[] {
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
  const bundle = new SpiffeBundle(trustDomain, {
    x509Authorities: [Certificate.parse(root.der)],
    jwtAuthorities: [{ keyId: 'a', jwk: { kty: 'EC', x: 'A' } }],
    sequence: 7n,
    refreshHintSec: 5,
  }).marshal();
  const svid = {
    spiffeId: 'spiffe://td/a',
    x509Svid: leaf.der,
    x509SvidKey: leaf.der,
    bundle: root.der,
    hint: 'h',
  };
  const response = x509SvidResponseSchema.encode({
    svids: [svid, svid],
    crl: [new Uint8Array(3)],
    federatedBundles: new Map([['spiffe://other', root.der]]),
  });
  const bundlesResponse = x509BundlesResponseSchema.encode({
    crl: [],
    bundles: new Map([['spiffe://td', root.der]]),
  });
  const jwtAuthority = JwtAuthority.create(trustDomain);
  const pair = keyFor('ES256');
  const jwtKeys = [...jwtAuthority.bundle().authorities, authorityKey('b', pair)];
  const jwtBundles = JwtBundleSet.of(JwtBundle.of(trustDomain, jwtKeys));
  const request = { id: SpiffeId.parse('spiffe://td/a'), audience: ['us'], lifetimeMs: 86_400_000 };
  const svidToken = jwtAuthority.issueJwtSvid(request);
  const anonymous = signToken(
    { header: { alg: 'ES256' }, claims: { sub: 'spiffe://td/a', aud: 'us', exp: 4_000_000_000 } },
    'ES256',
    pair,
  );
  const validated = validateJwtSvidResponseSchema.encode({
    spiffeId: 'spiffe://td/a',
    claims: { aud: ['us'], exp: 1.5, more: { a: [true, null, { b: 'c' }] } },
  });
  return [
    {
      name: 'certificate',
      seeds: [leaf.der, limited.der, root.der, rsa.der],
      expects,
      read: (der) => {
        // Nothing but the honest leaf is believed, however little was changed.
        const peer = attempt(() => verifyX509Svid([der, ...leaf.chain.slice(1)], bundles));
        assert.ok(peer === undefined || peer.leaf.equals(honest.leaf));
        attempt(() => X509Bundle.parse(trustDomain, der));
        return Certificate.parse(der).publicKey;
      },
    },
    {
      name: 'bundle',
      seeds: [
        bundle,
        `{"trust_domains":{"td":${bundle}}}`,
        '{"keys":[{"kty":"EC","use":"jwt-svid","kid":"k","x":"\\u0041","m":[{"a":[1,{"b":null}]}]}],"spiffe_sequence":1}',
      ],
      tokens: ['"keys"', '"x5c"', '"spiffe_sequence"', '1e999'],
      expects,
      read: (bytes) => {
        const text = textOf(bytes);
        attempt(() => parseBundleMap(text));
        const read = SpiffeBundle.parse(trustDomain, text).marshal();
        assert.equal(SpiffeBundle.parse(trustDomain, read).marshal(), read);
      },
    },
    {
      name: 'jwt-svid',
      seeds: [svidToken.token, anonymous, '..', 'e30.e30.e30'],
      tokens: ['.', 'eyJ', '=', 'e30'],
      expects,
      read: (bytes) => {
        // Nothing but the honest tokens is believed, however little was changed.
        const text = textOf(bytes);
        const token = attempt(() => verifyJwtSvid(text, jwtBundles, { audience: 'us' }));
        assert.ok(token === undefined || text === svidToken.token || text === anonymous);
        return JwtSvid.parse(text);
      },
    },
    {
      name: 'jwt-claims',
      seeds: [
        Buffer.from(svidToken.token.split('.')[1] ?? '', 'base64url'),
        '{"alg":"ES256"}',
        '{"crit":[]}',
      ],
      tokens: ['"sub"', '"aud"', '"exp"', '"spiffe://td/a"', '"alg"', '"none"', '1e999', '"typ"', '"kid"'],
      expects,
      read: (bytes) => {
        const part = Buffer.from(bytes).toString('base64url');
        const [head = '', , signature = ''] = svidToken.token.split('.');
        attempt(() => JwtSvid.parse(`${part}.${part}.${signature}`));
        return JwtSvid.parse(`${head}.${part}.${signature}`);
      },
    },
    {
      name: 'jwt-bundle',
      seeds: [jwtAuthority.bundle().marshal(), '{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"a"}]}'],
      tokens: ['"keys"', '"kid"', '"use"', '"crv"', '"P-384"', '"key_ops"', '"alg"'],
      expects,
      read: (bytes) => {
        const read = JwtBundle.parse(trustDomain, textOf(bytes));
        assert.ok(JwtBundle.parse(trustDomain, read.marshal()).equals(read));
      },
    },
    {
      name: 'spiffe-id',
      seeds: ['spiffe://td', 'spiffe://td.example/a/b-c_d.e', 'spiffe://a/%2e', 'spiffe://a/../b'],
      tokens: ['spiffe://', '/', '..', '%2F', ':8443', '@', '?q', '#f'],
      expects,
      read: (bytes) => {
        const text = textOf(bytes);
        assert.equal(SpiffeId.parse(text).toString(), text);
      },
    },
    {
      name: 'endpoint',
      seeds: ['unix:///run/a.sock', 'unix:/run/a.sock', 'tcp://127.0.0.1:1'],
      expects,
      read: (bytes) => parseEndpoint(textOf(bytes)),
    },
    {
      name: 'workload-message',
      seeds: [response, bundlesResponse, validated],
      expects,
      read: (bytes) => {
        const claims = attempt(() => validateJwtSvidResponseSchema.decode(bytes));
        if (claims !== undefined) {
          const again = attempt(() => validateJwtSvidResponseSchema.encode(claims));
          if (again !== undefined) assert.deepEqual(validateJwtSvidResponseSchema.decode(again), claims);
        }
        attempt(() => jwtSvidResponseSchema.decode(bytes));
        attempt(() => jwtSvidRequestSchema.decode(bytes));
        attempt(() => x509BundlesResponseSchema.decode(bytes));
        const read = x509SvidResponseSchema.encode(x509SvidResponseSchema.decode(bytes));
        assert.deepEqual(x509SvidResponseSchema.encode(x509SvidResponseSchema.decode(read)), read);
      },
    },
    {
      name: 'grpc-frame',
      seeds: [
        encodeFrame(response),
        Buffer.concat([encodeFrame(new Uint8Array(0)), encodeFrame(new Uint8Array(9))]),
      ],
      expects,
      read: (bytes) => {
        const [whole, cut] = [new FrameReader(4096), new FrameReader(4096)];
        const all = attempt(() => [...whole.push(bytes)].map((one) => Buffer.from(one).toString('hex')));
        const parts = attempt(() =>
          Array.from(bytes.subarray(0, 2000)).flatMap((octet) =>
            [...cut.push(Uint8Array.of(octet))].map((one) => Buffer.from(one).toString('hex')),
          ),
        );
        if (all !== undefined && bytes.length <= 2000) assert.deepEqual(parts, all);
        whole.end();
      },
    },
  ];
}

/** Refused is as good as read. */
function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (expects(error)) return undefined;
    throw error;
  }
}
