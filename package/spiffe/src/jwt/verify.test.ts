import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeError } from '../error.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { authorityKey, bundleOf, keyFor, signToken, type KeyPair } from '../testing/jwt.ts';
import { writeBase64Url } from './base64url.ts';
import { JwtBundle, JwtBundleSet } from './bundle.ts';
import { verifyJwtSvid, type TokenExpectation } from './verify.ts';

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'];
const [ec, otherEc, rsa] = [keyFor('ES256'), keyFor('ES256'), keyFor('RS256')];
const now = new Date(Date.UTC(2026, 0, 1));
const seconds = now.getTime() / 1000;
const bundles = JwtBundleSet.of(bundleOf('td', { ec, rsa }), bundleOf('other', { ec: otherEc }));
const goodHeader = { alg: 'ES256', kid: 'ec', typ: 'JWT' };
const goodClaims = { sub: 'spiffe://td/a', aud: ['us'], iat: seconds, exp: seconds + 300 };

interface Choice {
  readonly header?: unknown;
  readonly claims?: unknown;
  readonly signWith?: string;
  readonly key?: KeyPair;
}

function make({
  header = goodHeader,
  claims = goodClaims,
  signWith = 'ES256',
  key = ec,
}: Choice = {}): string {
  return signToken({ header, claims }, signWith, key);
}

const verify = (token: string, expected: Partial<TokenExpectation> = {}, among = bundles) =>
  verifyJwtSvid(token, among, { audience: 'us', now, ...expected });

function refuses(token: string, code: string, says?: RegExp, expected: Partial<TokenExpectation> = {}): void {
  assert.throws(
    () => verify(token, expected),
    (error: unknown) => {
      assert.ok(error instanceof SpiffeError && error.code === code, String(error));
      if (says !== undefined) assert.match(error.message, says);
      // Whoever has the token is believed: no part of it is told on.
      for (const part of token.split('.'))
        assert.ok(part.length < 8 || !JSON.stringify(error.message).includes(part));
      return true;
    },
  );
}

test('J-1 a token that is as it should be is believed, and says who it is from', () => {
  const token = verify(make());
  assert.equal(token.id.toString(), 'spiffe://td/a');
  assert.deepEqual(token.audience, ['us']);
  assert.equal(token.keyId, 'ec');
  assert.equal(token.notAfter.getTime(), now.getTime() + 300_000);
  assert.equal(token.claims['iat'], seconds);
});

test('J-2 only the compact serialization is read', () => {
  const [protectedPart = '', payload = '', signature = ''] = make().split('.');
  const flat = JSON.stringify({ protected: protectedPart, payload, signature });
  const general = JSON.stringify({ payload, signatures: [{ protected: protectedPart, signature }] });
  for (const text of [flat, general, '', 'a', '..', `${make()}.`, `${make()}.a`, ` ${make()}`, `${make()}\n`])
    refuses(text, 'token_invalid');
  refuses([protectedPart, payload].join('.'), 'token_invalid', /three texts/);
  refuses([protectedPart, payload, ''].join('.'), 'token_invalid', /three texts/);
  refuses('a'.repeat(20_000), 'token_invalid', /longer than 16384/);
});

test('J-3 each algorithm of the standard is believed with a key of its own kind, and with no other signature', () => {
  for (const alg of algorithms) {
    const key = keyFor(alg);
    const among = JwtBundleSet.of(bundleOf('td', { k: key }));
    const token = make({ header: { alg, kid: 'k' }, signWith: alg, key });
    assert.equal(verify(token, {}, among).id.path, '/a', alg);
    const broken = make({
      header: { alg, kid: 'k' },
      claims: { ...goodClaims, sub: 'spiffe://td/b' },
      signWith: alg,
      key,
    });
    const mixed = [...broken.split('.').slice(0, 2), token.split('.')[2]].join('.');
    assert.throws(() => verify(mixed, {}, among), { code: 'token_refused', message: /signature/ }, alg);
  }
});

test('J-4 none, HMAC and algorithms beyond the standard are no JWT-SVIDs, also with the public key as the secret', () => {
  for (const alg of [
    'none',
    'None',
    'NONE',
    '',
    'EdDSA',
    'ES256K',
    'RSA-OAEP',
    'es256',
    'toString',
    7,
    null,
    undefined,
  ])
    refuses(make({ header: { alg, kid: 'ec' } }), 'token_invalid', /alg/);
  for (const alg of ['HS256', 'HS384', 'HS512'])
    refuses(make({ header: { alg, kid: 'rsa' }, signWith: alg, key: rsa }), 'token_invalid', /alg/);
  const unsigned = [{ alg: 'none' }, goodClaims].map((part) => writeBase64Url(JSON.stringify(part)));
  refuses(`${unsigned.join('.')}.`, 'token_invalid');
});

test('J-5 the algorithm has to be one of the kind and the curve of the key', () => {
  refuses(make({ header: { ...goodHeader, kid: 'rsa' } }), 'token_refused', /algorithm/);
  refuses(make({ header: { ...goodHeader, alg: 'RS256' } }), 'token_refused', /algorithm/);
  refuses(make({ header: { ...goodHeader, alg: 'ES384' }, signWith: 'ES384' }), 'token_refused', /algorithm/);
  // A signature of the right key under the name of another algorithm of its kind.
  refuses(
    make({ header: { alg: 'PS256', kid: 'rsa' }, signWith: 'RS256', key: rsa }),
    'token_refused',
    /signature/,
  );
  const bound = JwtBundle.of(TrustDomain.parse('td'), [authorityKey('rsa', rsa, { alg: 'RS512' })]);
  const token = make({ header: { alg: 'RS256', kid: 'rsa' }, signWith: 'RS256', key: rsa });
  assert.doesNotThrow(() => verify(token));
  assert.throws(() => verify(token, {}, JwtBundleSet.of(bound)), {
    code: 'token_refused',
    message: /algorithm/,
  });
});

test('J-6 a token without a key identifier is tried with each key of its trust domain', () => {
  const header = { alg: 'ES256' };
  const many = bundleOf('td', { a: otherEc, b: rsa, c: keyFor('ES256'), d: ec });
  assert.equal(verify(make({ header }), {}, JwtBundleSet.of(many)).keyId, 'd');
  refuses(make({ header, key: otherEc }), 'token_refused', /signature/);
});

test('J-6 no token makes us check signatures without end', () => {
  const crowd = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, ec]));
  const among = JwtBundleSet.of(bundleOf('td', crowd));
  const says = { code: 'token_refused', message: /too many/ };
  assert.throws(() => verify(make({ header: { alg: 'ES256' } }), {}, among), says);
  assert.equal(verify(make({ header: { alg: 'ES256', kid: 'k64' } }), {}, among).keyId, 'k64');
});

test('J-7 a key identifier that names no key is refused, and one that is not a text is none', () => {
  refuses(make({ header: { ...goodHeader, kid: 'gone' } }), 'token_refused', /key/);
  for (const kid of ['', 7, null, ['ec'], {}])
    refuses(make({ header: { ...goodHeader, kid } }), 'token_invalid', /kid/);
});

test('J-8 the type is absent, JWT or JOSE', () => {
  const { typ: _, ...untyped } = goodHeader;
  for (const header of [untyped, { ...goodHeader, typ: 'JOSE' }])
    assert.doesNotThrow(() => verify(make({ header })));
  for (const typ of ['jwt', 'at+jwt', 'JWS', '', 7, null])
    refuses(make({ header: { ...goodHeader, typ } }), 'token_invalid', /typ/);
});

test('J-9 critical parameters are refused, others are not heeded', () => {
  for (const crit of [['exp'], ['b64'], [], 'b64', null])
    refuses(make({ header: { ...goodHeader, crit, b64: true } }), 'token_invalid', /crit/);
  // A key that the token brings along is nobody's.
  const jwk = otherEc.publicKey.export({ format: 'jwk' });
  refuses(
    make({ header: { ...goodHeader, jwk, jku: 'https://evil.example' }, key: otherEc }),
    'token_refused',
  );
  assert.doesNotThrow(() => verify(make({ header: { ...goodHeader, jwk } })));
});

test('J-10 the subject is the SPIFFE ID of a workload', () => {
  for (const sub of [
    undefined,
    null,
    7,
    '',
    'me',
    'https://td/a',
    'spiffe://td',
    'spiffe://td/',
    'spiffe://TD/a',
    'spiffe://td/a//b',
  ])
    refuses(make({ claims: { ...goodClaims, sub } }), 'token_invalid', /sub/);
});

test('J-11 the audience has to be there, as a text or a list', () => {
  assert.doesNotThrow(() => verify(make({ claims: { ...goodClaims, aud: 'us' } })));
  assert.doesNotThrow(() => verify(make({ claims: { ...goodClaims, aud: ['them', 'us'] } })));
  for (const aud of [undefined, null, '', [], [''], ['us', ''], ['us', 7], 7, { us: true }])
    refuses(make({ claims: { ...goodClaims, aud } }), 'token_invalid', /aud/);
});

test('J-12 the audience has to be ours, letter by letter', () => {
  for (const aud of ['them', ['them', 'US'], 'us/', ['u', 's']])
    refuses(make({ claims: { ...goodClaims, aud } }), 'token_refused', /audience/);
  assert.doesNotThrow(() => verify(make(), { audience: ['a', 'us'] }));
  for (const audience of ['', [], ['us', '']]) refuses(make(), 'invalid_argument', /audience/, { audience });
});

test('J-13 the expiry has to be there, a time, and not past by more than the leeway', () => {
  for (const exp of [undefined, null, '1', [], 1e308, {}])
    refuses(make({ claims: { ...goodClaims, exp } }), 'token_invalid', /exp/);
  // Seconds, and no time that a Date can hold.
  for (const exp of [1e300, 8.64e12 + 1])
    refuses(make({ claims: { ...goodClaims, exp } }), 'token_invalid', /exp is not a time/);
  assert.equal(verify(make({ claims: { ...goodClaims, exp: 8.64e12 } })).notAfter.getTime(), 8.64e15);
  const expiring = make({ claims: { ...goodClaims, exp: seconds } });
  assert.doesNotThrow(() => verify(expiring, { leewayMs: 1 }));
  refuses(expiring, 'token_refused', /expired/, { leewayMs: 0 });
  assert.doesNotThrow(() => verify(make({ claims: { ...goodClaims, exp: seconds - 9.9 } })));
  refuses(make({ claims: { ...goodClaims, exp: seconds - 10 } }), 'token_refused', /expired/);
  assert.throws(() => verify(expiring, { leewayMs: 60_001 }), RangeError);
  assert.throws(() => verify(expiring, { now: new Date(Number.NaN) }), TypeError);
});

test('J-14 a token is not good before its time, but for the leeway', () => {
  assert.doesNotThrow(() => verify(make({ claims: { ...goodClaims, nbf: seconds + 10 } })));
  refuses(make({ claims: { ...goodClaims, nbf: seconds + 11 } }), 'token_refused', /nbf/);
  refuses(make({ claims: { ...goodClaims, iat: seconds + 11 } }), 'token_refused', /iat/);
  for (const bad of ['0', null, true]) {
    refuses(make({ claims: { ...goodClaims, nbf: bad } }), 'token_invalid', /nbf/);
    refuses(make({ claims: { ...goodClaims, iat: bad } }), 'token_invalid', /iat/);
  }
});

test('J-15 the key has to come from the bundle of the trust domain that the subject names', () => {
  // The other trust domain is trusted, too, and has a key of this name, but not for this one.
  refuses(make({ key: otherEc }), 'token_refused', /signature/);
  const claims = { ...goodClaims, sub: 'spiffe://other/a' };
  refuses(make({ claims }), 'token_refused', /signature/);
  assert.equal(verify(make({ claims, key: otherEc })).id.trustDomain.name, 'other');
  refuses(make({ claims: { ...goodClaims, sub: 'spiffe://strange/a' } }), 'bundle_unknown');
});

test('J-16 keys of another use verify no tokens', () => {
  const key = { ...authorityKey('ec', ec).jwk, kid: 'ec' };
  const read = (use: string | undefined) =>
    JwtBundleSet.of(JwtBundle.parse(TrustDomain.parse('td'), JSON.stringify({ keys: [{ ...key, use }] })));
  assert.doesNotThrow(() => verify(make(), {}, read('jwt-svid')));
  // As SPIRE writes them in its Workload API.
  assert.doesNotThrow(() => verify(make(), {}, read(undefined)));
  for (const use of ['x509-svid', 'sig', 'wit-svid'])
    assert.throws(() => verify(make(), {}, read(use)), { code: 'token_refused' }, use);
});

test('J-17 every bit of a token counts', () => {
  const token = make();
  for (let at = 0; at < token.length; at++) {
    if (token[at] === '.') continue;
    const other = token[at] === 'A' ? 'B' : 'A';
    assert.throws(() => verify(token.slice(0, at) + other + token.slice(at + 1)), SpiffeError, `at ${at}`);
  }
});

test('J-18 base64url has one spelling', () => {
  const [head = '', claims = '', signature = ''] = make().split('.');
  for (const text of [
    `${head}=.${claims}.${signature}`,
    `${head}.${claims}.${signature}==`,
    `${head}.${claims} .${signature}`,
    `${head}.+${claims}.${signature}`,
  ])
    refuses(text, 'token_invalid', /base64url/);
  // The last character of 64 bytes has four bits that say nothing.
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(
    signature.at(-1) ?? '',
  );
  const twin = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[last + 1];
  refuses(`${head}.${claims}.${signature.slice(0, -1)}${twin ?? ''}`, 'token_invalid', /base64url/);
});

test('J-19 header and claims are JSON objects in UTF-8 in which no name occurs twice', () => {
  for (const claims of ['', '[]', '7', 'null', '"text"', '{', '{"sub":"spiffe://td/a"'])
    refuses(make({ claims }), 'token_invalid');
  for (const header of ['', '[]', 'null', '{']) refuses(make({ header }), 'token_invalid');
  const text = JSON.stringify(goodClaims).slice(1);
  refuses(make({ claims: `{"sub":"spiffe://td/b",${text}` }), 'token_invalid', /twice/);
  refuses(make({ header: '{"alg":"ES256","kid":"ec","\\u0061lg":"ES256"}' }), 'token_invalid', /twice/);
  const [head = '', , signature = ''] = make().split('.');
  refuses(
    `${head}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${signature}`,
    'token_invalid',
    /UTF-8/,
  );
});

test('J-20 an ECDSA signature in DER is none', () => {
  const [head = '', claims = '', signature = ''] = make().split('.');
  const raw = Buffer.from(signature, 'base64url');
  const number = (half: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), half]);
  const body = Buffer.concat([number(raw.subarray(0, 32)), number(raw.subarray(32))]);
  const der = Buffer.concat([Buffer.from([0x30, body.length]), body]);
  refuses(`${head}.${claims}.${der.toString('base64url')}`, 'token_refused', /signature/);
  refuses(`${head}.${claims}.${Buffer.alloc(64).toString('base64url')}`, 'token_refused', /signature/);
});

test('J-21 keys that are too small, off their curve or without what they need verify nothing', () => {
  const small = authorityKey('small', keyFor('RS256'), { n: 'AQAB' });
  const { jwk } = authorityKey('ec', ec);
  const td = TrustDomain.parse('td');
  for (const bad of [
    small,
    { keyId: 'ec', jwk: { ...jwk, y: jwk['x'] ?? '' } },
    { keyId: 'ec', jwk: { ...jwk, crv: 'secp256k1' } },
    { keyId: 'ec', jwk: { ...jwk, crv: 'P-384' } },
    { keyId: 'ec', jwk: { kty: 'EC', crv: 'P-256' } },
    { keyId: 'ec', jwk: { kty: 'OKP', crv: 'Ed25519', x: jwk['x'] ?? '' } },
    { keyId: 'ec', jwk: { ...jwk, key_ops: ['sign'] } },
  ]) {
    const bundle = JwtBundle.of(td, [bad]);
    assert.deepEqual(bundle.keys, []);
    // It is kept all the same, for those whom the bundle is passed on to.
    assert.deepEqual(
      JwtBundle.parse(td, bundle.marshal()).authorities.map(({ keyId }) => keyId),
      [bad.keyId],
    );
  }
});
