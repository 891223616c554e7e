import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { Certificate } from '../x509/certificate.ts';
import { marshalBundleMap, parseBundleMap } from './bundle-map.ts';
import { SpiffeBundle } from './spiffe-bundle.ts';

const td = TrustDomain.parse('td');
const [one, two] = [TestCertificate.root(), TestCertificate.root({ key: 'rsa2048' })];
const base64 = (certificate: TestCertificate) => Buffer.from(certificate.der).toString('base64');
const x509 = { kty: 'EC', use: 'x509-svid', x5c: [base64(one)] };
const jwt = { kty: 'EC', use: 'jwt-svid', kid: 'key-1', crv: 'P-256', x: 'AA', y: 'BB' };

const parse = (document: unknown) => SpiffeBundle.parse(td, JSON.stringify(document));

function refuses(document: unknown, message?: RegExp): void {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  const expected = { name: 'SpiffeError', code: 'bundle_invalid' };
  assert.throws(
    () => SpiffeBundle.parse(td, text),
    message === undefined ? expected : { ...expected, message },
  );
}

test('B-1 a bundle has a list of keys, and an empty one trusts nothing', () => {
  const empty = parse({ keys: [] });
  assert.equal(empty.x509Authorities.length, 0);
  assert.equal(empty.x509Bundle().authorities.length, 0);
  refuses({}, /no list of keys/);
  refuses({ keys: {} }, /no list of keys/);
  refuses({ keys: null }, /no list of keys/);
  refuses([], /not an object/);
  refuses('', /not JSON/);
  refuses('{"keys":[]', /not JSON/);
});

test('B-2 an entry of unknown type or use is ignored, and only it', () => {
  const { kty: _kty, ...untyped } = x509;
  const { use: _use, ...unused } = x509;
  const bundle = parse({
    keys: [
      { ...x509, kty: 'oct' },
      { ...x509, use: 'sig' },
      { ...x509, use: 'wit-svid' },
      untyped,
      unused,
      7,
      null,
      x509,
    ],
  });
  assert.equal(bundle.x509Authorities.length, 1);
  assert.equal(bundle.jwtAuthorities.length, 0);
});

test('B-3 an X.509 authority is the first certificate of x5c, and an entry without one is ignored', () => {
  const { x5c: _, ...without } = x509;
  const bundle = parse({
    keys: [{ ...x509, x5c: [base64(two), base64(one), 'rest'] }, { ...x509, x5c: [] }, without],
  });
  assert.deepEqual(
    bundle.x509Authorities.map(({ der }) => Buffer.from(der).toString('base64')),
    [base64(two)],
  );
  for (const x5c of [['AAAA'], ['no base64!'], [7], 'text', [base64(one) + '\n']])
    refuses({ keys: [{ ...x509, x5c }] });
});

test('B-3 a published X.509 authority has no kid', () => {
  const authorities = [one, two].map(({ der }) => Certificate.parse(der));
  const bundle = new SpiffeBundle(td, { x509Authorities: authorities });
  const { keys } = JSON.parse(bundle.marshal()) as { keys: Record<string, unknown>[] };
  assert.equal(keys.length, 2);
  for (const key of keys) assert.equal(Object.hasOwn(key, 'kid'), false);
  assert.deepEqual(
    keys.map((key) => key['kty']),
    ['EC', 'RSA'],
  );
  assert.equal(SpiffeBundle.parse(td, bundle.marshal()).x509Bundle().equals(bundle.x509Bundle()), true);
});

test('B-4 a JWT authority has a key identifier of its own', () => {
  const bundle = parse({ keys: [jwt, { ...jwt, kid: 'key-2', alg: 'ES256', d: 'secret' }, x509] });
  assert.deepEqual(
    bundle.jwtAuthorities.map((authority) => authority.keyId),
    ['key-1', 'key-2'],
  );
  assert.deepEqual(bundle.jwtAuthorities[1]?.jwk, { ...jwt, kid: 'key-2', alg: 'ES256' });
  const { kid: _, ...without } = jwt;
  refuses({ keys: [without] }, /key identifier/);
  refuses({ keys: [{ ...jwt, kid: '' }] }, /key identifier/);
  refuses({ keys: [jwt, jwt] }, /shares/);
});

test('B-5 a sequence has 64 bits', () => {
  const read = (sequence: string) => SpiffeBundle.parse(td, `{"keys":[],"spiffe_sequence":${sequence}}`);
  assert.equal(parse({ keys: [] }).sequence, undefined);
  assert.equal(read('0').sequence, 0n);
  assert.equal(read('9007199254740993').sequence, 9007199254740993n);
  assert.equal(read('18446744073709551615').sequence, 18446744073709551615n);
  const bundle = read('18446744073709551615');
  assert.equal(SpiffeBundle.parse(td, bundle.marshal()).sequence, bundle.sequence);
  for (const bad of ['18446744073709551616', '-1', '1.5', '1e3', '"1"', 'null', '99999999999999999999999']) {
    refuses(`{"keys":[],"spiffe_sequence":${bad}}`);
  }
});

test('B-6 a refresh hint is a number of seconds', () => {
  assert.equal(parse({ keys: [], spiffe_refresh_hint: 300 }).refreshHintSec, 300);
  assert.equal(parse({ keys: [] }).refreshHintSec, undefined);
  assert.equal(
    SpiffeBundle.parse(td, parse({ keys: [], spiffe_refresh_hint: 300 }).marshal()).refreshHintSec,
    300,
  );
  for (const hint of [-1, 1.5, '300', null, 1e300]) refuses({ keys: [], spiffe_refresh_hint: hint });
});

test('B-7 unknown parameters neither matter nor are needed', () => {
  const bundle = parse({
    keys: [
      { ...x509, more: { spiffe_sequence: 1 } },
      { ...jwt, more: [1] },
    ],
    more: { keys: 1 },
  });
  assert.equal(bundle.x509Authorities.length, 1);
  assert.equal(SpiffeBundle.parse(td, bundle.marshal()).jwtAuthorities.length, 1);
});

test('B-8 a map has trust domains, each at most once, and no refresh hints inside', () => {
  const inner = `{"keys":[],"spiffe_sequence":18446744073709551615,"spiffe_refresh_hint":7}`;
  const map = parseBundleMap(`{"trust_domains":{"a":${inner},"b":{"keys":[${JSON.stringify(x509)}]}}}`);
  assert.deepEqual([...map.keys()], ['a', 'b']);
  assert.equal(map.get('a')?.refreshHintSec, undefined);
  assert.equal(map.get('a')?.sequence, 18446744073709551615n);
  const code = 'bundle_invalid';
  assert.throws(() => parseBundleMap('{}'), { code, message: /no trust domains/ });
  assert.throws(() => parseBundleMap('{"trust_domains":[]}'), { code });
  assert.throws(() => parseBundleMap(`{"trust_domains":{"a":${inner},"a":${inner}}}`), {
    code,
    message: /twice/,
  });
  assert.throws(() => parseBundleMap(`{"trust_domains":{"a":${inner},"\\u0061":${inner}}}`), {
    code,
    message: /twice/,
  });
  assert.throws(() => parseBundleMap(`{"trust_domains":{},"trust_domains":{"a":${inner}}}`), {
    code,
    message: /twice/,
  });
  for (const name of ['', 'A', 'a/b', 'spiffe://a', '__proto__ ']) {
    assert.throws(() => parseBundleMap(`{"trust_domains":{${JSON.stringify(name)}:${inner}}}`), { code });
  }
  assert.deepEqual([...parseBundleMap(`{"trust_domains":{"__proto__":${inner}}}`).keys()], ['__proto__']);
});

test('B-9 bundles of a map stay apart, there and back', () => {
  const bundles = ['a', 'b'].map(
    (name, i) =>
      new SpiffeBundle(TrustDomain.parse(name), {
        x509Authorities: [Certificate.parse((i === 0 ? one : two).der)],
        sequence: BigInt(i),
        refreshHintSec: 5,
      }),
  );
  const map = parseBundleMap(marshalBundleMap(bundles));
  for (const bundle of bundles) {
    const back = map.get(bundle.trustDomain.name);
    assert.equal(back?.x509Bundle().equals(bundle.x509Bundle()), true);
    assert.equal(back?.sequence, bundle.sequence);
    assert.equal(back?.refreshHintSec, undefined);
  }
  const [first] = bundles;
  assert.ok(first);
  assert.throws(() => marshalBundleMap([first, first]), { code: 'bundle_invalid' });
});

test('member names that occur twice are refused wherever they are, and braces in texts are not braces', () => {
  refuses('{"keys":[],"keys":[]}', /twice/);
  refuses('{"keys":[{"kty":"EC","kty":"RSA"}]}', /twice/);
  refuses('{"keys":[{"a":{"b":1,"c":2,"b":3}}]}', /twice/);
  const tricky = { keys: [{ a: '{"b":1,"b":2}', b: '\\"', c: ['a', 'a'], d: { a: 1 } }], e: '}' };
  assert.doesNotThrow(() => parse(tricky));
});

test('a document that is too large, or nests without end, is refused', () => {
  refuses(`{"keys":[],"a":"${'a'.repeat(4 * 1024 * 1024)}"}`, /large/);
  refuses('['.repeat(1_000_000));
  refuses(`{"keys":${'['.repeat(200_000)}${']'.repeat(200_000)},"a":1,"a":1}`);
});
