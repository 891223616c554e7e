import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { authenticate, commitKey, derive, purposeTable, type Purpose } from './derive.ts';
import { encodeFields } from './encode.ts';
import { RootKey } from './root-key.ts';
import { Secret } from './secret.ts';

const fixed = (byte: number): Secret => Secret.take(Buffer.alloc(32, byte));
const hex = (secret: Secret): string => secret.expose((bytes) => Buffer.from(bytes).toString('hex'));

/** RFC 5869 written out: one block of output. */
function hkdf(key: Uint8Array, info: Uint8Array): string {
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(key).digest();
  return createHmac('sha256', extracted).update(info).update(Uint8Array.of(1)).digest('hex');
}

test('a derived key is HKDF-SHA-256 over the purpose and its length-prefixed context', () => {
  const info = Buffer.concat([Buffer.from('spike/v1/keyring/wrap'), encodeFields('instance', 3)]);
  assert.equal(hex(derive('keyring/wrap', fixed(9), 'instance', 3)), hkdf(Buffer.alloc(32, 9), info));
});

test('purpose, key, instance and epoch each give another key', () => {
  const keys = [
    derive('keyring/wrap', fixed(1), 'a', 1),
    derive('keyring/wrap', fixed(2), 'a', 1),
    derive('keyring/wrap', fixed(1), 'b', 1),
    derive('keyring/wrap', fixed(1), 'a', 2),
    derive('keyring/commit', fixed(1), 'a', 1),
    derive('manifest/seal', fixed(1), 'a', 1),
    derive('manifest/mac', fixed(1), 'a', 1),
    derive('list/cursor', fixed(1), 'a'),
    derive('anchor/mac', fixed(1), 'a'),
  ].map(hex);
  assert.equal(new Set(keys).size, keys.length);
});

test('purposes of the root key are bound to instance and keyring epoch, and no purpose begins another', () => {
  const names = Object.keys(purposeTable) as Purpose[];
  for (const name of names) {
    assert.match(name, /^[a-z]+\/[a-z]+$/);
    assert.ok(!names.some((other) => other !== name && other.startsWith(name)));
    if (purposeTable[name].from === 'root') {
      assert.deepEqual(purposeTable[name].context, ['instance', 'keyring epoch']);
    }
  }
});

test('a commitment is 32 bytes that only one key, instance and epoch give', () => {
  using key = RootKey.generate();
  using other = RootKey.generate();
  const commitment = commitKey(key.secret, 'a', 1);
  assert.equal(commitment.length, 32);
  assert.deepEqual(commitKey(key.secret, 'a', 1), commitment);
  assert.notDeepEqual(commitKey(other.secret, 'a', 1), commitment);
  assert.notDeepEqual(commitKey(key.secret, 'b', 1), commitment);
  assert.notDeepEqual(commitKey(key.secret, 'a', 2), commitment);
});

test('a MAC is HMAC-SHA-256 over the encoded fields', () => {
  const expected = createHmac('sha256', Buffer.alloc(32, 5)).update(encodeFields('x', 1)).digest();
  assert.deepEqual(Buffer.from(authenticate(fixed(5), 'x', 1)), expected);
});
