import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { authorityKey, bundleOf, keyFor } from '../testing/jwt.ts';
import { JwtBundle, JwtBundleSet } from './bundle.ts';
import { readBase64Url, writeBase64Url } from './base64url.ts';

const td = TrustDomain.parse('td');
const pairs = ['ES256', 'ES384', 'ES512', 'RS256'].map(keyFor);

test('a JWT bundle is read as it was written, whatever keys are in it', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 6 });
  fc.assert(
    fc.property(names, (keyIds) => {
      const keys = keyIds.map((keyId, index) => {
        const pair = pairs[index % pairs.length];
        assert.ok(pair);
        return authorityKey(keyId, pair);
      });
      const bundle = JwtBundle.of(td, keys);
      const back = JwtBundle.parse(td, bundle.marshal());
      assert.ok(back.equals(bundle));
      assert.equal(back.marshal(), bundle.marshal());
      assert.deepEqual(
        back.keys.map(({ keyId }) => keyId),
        keyIds,
      );
      assert.ok(SpiffeBundle.parse(td, bundle.marshal()).jwtBundle().equals(bundle));
    }),
  );
});

test('B-4 key identifiers are there and unique', () => {
  const [pair] = pairs;
  assert.ok(pair);
  const { jwk } = authorityKey('a', pair);
  const code = 'bundle_invalid';
  assert.throws(() => JwtBundle.of(td, [authorityKey('a', pair), authorityKey('a', pair)]), { code });
  for (const keys of [[jwk], [{ ...jwk, kid: '' }], [{ ...jwk, kid: 7 }], {}, null, 'text'])
    assert.throws(() => JwtBundle.parse(td, JSON.stringify({ keys })), { code });
  const crowd = Array.from({ length: 257 }, (_, index) => authorityKey(`k${index}`, pair));
  assert.throws(() => JwtBundle.of(td, crowd), { code, message: /more than 256/ });
});

test('W-8 what is published is JWT authorities and nothing else, and none of it private', () => {
  const { privateKey } = keyFor('ES256');
  const jwk = privateKey.export({ format: 'jwk' });
  const bundle = JwtBundle.parse(td, JSON.stringify({ keys: [{ ...jwk, kid: 'a', use: 'jwt-svid' }] }));
  assert.equal(bundle.keys.length, 1);
  const text = bundle.marshal();
  assert.ok(!text.includes(String(jwk.d)));
  assert.deepEqual(
    JSON.parse(text).keys.map((key: { use: string }) => key.use),
    ['jwt-svid'],
  );
});

test('B-9 two bundles of one trust domain make no set', () => {
  const [pair] = pairs;
  assert.ok(pair);
  const [one, two] = [bundleOf('td', { a: pair }), bundleOf('other', { a: pair })];
  assert.equal(JwtBundleSet.of(one, two).size, 2);
  assert.ok(!one.equals(two));
  assert.throws(() => JwtBundleSet.of(one, one), { code: 'bundle_invalid' });
});

test('base64url reads back what it wrote, and takes no other spelling', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.string({ maxLength: 20 }), (bytes, text) => {
      assert.deepEqual(readBase64Url(writeBase64Url(bytes)), bytes);
      const read = readBase64Url(text);
      if (read !== undefined) assert.equal(writeBase64Url(read), text);
    }),
  );
});
