import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { JwtBundleSet } from '../jwt/bundle.ts';
import { JwtSvid } from '../jwt/svid.ts';
import { verifyJwtSvid } from '../jwt/verify.ts';
import { JwtAuthority } from './jwt-authority.ts';

const td = TrustDomain.parse('td');
const id = SpiffeId.parse('spiffe://td/a');
const now = new Date(Date.UTC(2026, 0, 1));
const day = 86_400_000;

const issue = (authority: JwtAuthority, audience: readonly string[] = ['us']): JwtSvid =>
  authority.issueJwtSvid({ id, audience, now });
const verify = (svid: JwtSvid, authority: JwtAuthority, at = now) =>
  verifyJwtSvid(svid.token, JwtBundleSet.of(authority.bundle()), { audience: svid.audience, now: at });

test('J-22 the header of an issued token has alg, kid and typ, and nothing else', () => {
  const authority = JwtAuthority.create(td, now);
  const svid = issue(authority, ['us', 'them', 'us']);
  const [header, claims] = svid.token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('utf8'));
  const [first] = authority.bundle().keys;
  assert.deepEqual(JSON.parse(header ?? ''), { alg: 'ES256', kid: first?.keyId, typ: 'JWT' });
  const iat = now.getTime() / 1000;
  assert.deepEqual(JSON.parse(claims ?? ''), {
    sub: id.toString(),
    aud: ['us', 'them'],
    iat,
    exp: iat + 300,
  });
});

test('J-23 what is issued is believed, for every ID, audience and life', () => {
  const authority = JwtAuthority.create(td, now);
  const audiences = fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 5 });
  const path = fc.stringMatching(/^(\/[a-z]{1,9}){1,4}$/);
  fc.assert(
    fc.property(audiences, path, fc.integer({ min: 1, max: 86_400 }), (audience, text, life) => {
      const request = { id: SpiffeId.from(td, text), audience, lifetimeMs: life * 1000, now };
      const svid = authority.issueJwtSvid(request);
      const token = verify(svid, authority);
      assert.equal(token.id.path, text);
      assert.deepEqual(token.audience, [...new Set(audience)]);
      assert.equal(token.notAfter.getTime(), now.getTime() + life * 1000);
      assert.equal(JwtSvid.parse(svid.token).token, svid.token);
    }),
    { numRuns: 50 },
  );
});

test('J-23 nobody gets a token of another trust domain, of the trust domain itself, for nobody or for ever', () => {
  const authority = JwtAuthority.create(td, now);
  const request = { id, audience: ['us'], now };
  for (const foreign of ['spiffe://other/a', 'spiffe://td'])
    assert.throws(() => authority.issueJwtSvid({ ...request, id: SpiffeId.parse(foreign) }), {
      code: 'id_invalid',
    });
  for (const audience of [[], [''], ['us', '']])
    assert.throws(() => authority.issueJwtSvid({ ...request, audience }), { code: 'invalid_argument' });
  for (const lifetimeMs of [0, 999, day + 1, Number.NaN])
    assert.throws(() => authority.issueJwtSvid({ ...request, lifetimeMs }), RangeError);
});

test('J-24 a key is published before it signs, and for as long as a token of it may live', () => {
  const authority = JwtAuthority.create(td, now);
  const before = authority.bundle();
  const old = issue(authority);
  authority.rotate(now);
  const [signing] = authority.bundle().keys;
  assert.ok(signing);
  assert.ok(before.get(signing.keyId)?.equals(signing), 'the new key was not published before');
  // Whoever fetched the bundle before the rotation verifies what was signed after it.
  assert.doesNotThrow(() =>
    verifyJwtSvid(issue(authority).token, JwtBundleSet.of(before), { audience: 'us', now }),
  );
  assert.doesNotThrow(() => verify(old, authority));
  assert.equal(authority.bundle().keys.length, 3);
  authority.rotate(new Date(now.getTime() + day - 1));
  assert.equal(authority.bundle().keys.length, 4);
  assert.doesNotThrow(() => verify(old, authority));
  authority.rotate(new Date(now.getTime() + 3 * day));
  assert.throws(() => verify(old, authority), { code: 'token_refused', message: /key/ });
});

test('J-24 keys are read back as they were written, and no other list is', () => {
  const authority = JwtAuthority.create(td, now);
  authority.rotate(now);
  const keys = authority.export();
  const back = JwtAuthority.load(td, keys);
  assert.equal(back.bundle().marshal(), authority.bundle().marshal());
  assert.deepEqual(back.export(), keys);
  assert.doesNotThrow(() => verify(issue(back), authority));
  const [one, two] = [
    keys[0],
    keys.find((key) => key.activatedAt !== undefined && key.retiredAt === undefined),
  ];
  assert.ok(one && two);
  const code = 'key_invalid';
  for (const wrong of [
    [],
    [one],
    [two],
    [...keys, two],
    keys.slice(0, -1),
    keys.filter((key) => key !== two),
  ])
    assert.throws(() => JwtAuthority.load(td, wrong), { code });
  assert.throws(() => JwtAuthority.load(td, [{ privateKeyPem: 'no key' }]), { code });
});

test('J-25 nothing that prints a token of ours shows it', () => {
  const svid = issue(JwtAuthority.create(td, now));
  const secret = svid.token.split('.')[2] ?? 'none';
  for (const text of [inspect(svid, { depth: 9, showHidden: true }), JSON.stringify({ svid })])
    assert.ok(!text.includes(secret), text);
  assert.ok(JSON.stringify(svid).includes(id.toString()));
});
