import assert from 'node:assert/strict';
import { createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { encodeFields, Secret } from '@spike/crypto';
import fc from 'fast-check';

import { CipherKeys, tagBytes, type CipherBody } from './cipher-key.ts';
import { Keyring, type KeyringEntry } from './keyring.ts';
import { createTestInstance, hasCode } from './testing/instance.ts';

const refused = hasCode('crypto_decryption_failed');
const text = Buffer.from('4111 1111 1111 1111');
const entry = (number: number, key: Uint8Array, rest: Partial<KeyringEntry> = {}): KeyringEntry => ({
  use: 'cipher',
  number,
  state: 'active',
  key: Secret.take(Uint8Array.from(key)),
  instance: 'instance-1',
  ...rest,
});
const key = randomBytes(32);
const keysOf = (...entries: KeyringEntry[]): CipherKeys => new CipherKeys(new Keyring(entries));

test('what is encrypted comes back, nothing included, and is 16 bytes longer', () => {
  using keys = keysOf(entry(1, key));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (plaintext) => {
      const encrypted = keys.encrypt(plaintext);
      assert.equal(encrypted.nonce.length, 12);
      assert.equal(encrypted.body.length, plaintext.length + tagBytes);
      assert.deepEqual(Uint8Array.from(keys.decrypt(encrypted)), plaintext);
    }),
  );
});

test('it is AES-256-GCM under a key that HKDF-SHA-256 makes of the cipher key for this nonce', () => {
  using keys = keysOf(entry(7, key));
  const { nonce, body } = keys.encrypt(text);
  const info = Buffer.concat([
    Buffer.from('spike/v1/cipher/message'),
    encodeFields('instance-1', 7, nonce),
    Uint8Array.of(1),
  ]);
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(key).digest();
  const decipher = createDecipheriv(
    'aes-256-gcm',
    createHmac('sha256', extracted).update(info).digest(),
    nonce,
  );
  decipher.setAAD(encodeFields('spike/cipher', 1, 'instance-1', 7)).setAuthTag(body.subarray(-16));
  assert.deepEqual(Buffer.concat([decipher.update(body.subarray(0, -16)), decipher.final()]), text);
});

test('the same text twice looks different, and nothing of it can be changed or cut off', () => {
  using keys = keysOf(entry(1, key));
  const one = keys.encrypt(text);
  const other = keys.encrypt(text);
  assert.notDeepEqual(one.nonce, other.nonce);
  assert.notDeepEqual(one.body, other.body);
  const flip = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const changed: CipherBody[] = [
    { ...one, nonce: other.nonce },
    { ...one, nonce: one.nonce.subarray(1) },
    { ...one, body: one.body.subarray(0, 15) },
    { ...one, body: one.body.subarray(1) },
    ...Array.from(one.nonce, (_, at) => ({ ...one, nonce: flip(one.nonce, at) })),
    ...Array.from(one.body, (_, at) => ({ ...one, body: flip(one.body, at) })),
  ];
  for (const change of changed) assert.throws(() => keys.decrypt(change), refused);
  keys.decrypt(one);
});

test('another instance, another number or another use of the same bytes opens nothing', () => {
  using keys = keysOf(entry(1, key));
  const encrypted = keys.encrypt(text);
  for (const other of [entry(2, key), entry(1, key, { instance: 'instance-2' }), entry(1, randomBytes(32))]) {
    using others = keysOf(other);
    assert.throws(() => others.decrypt(encrypted), refused);
  }
});

test('after a rotation the newest active key encrypts, and older ones still decrypt', () => {
  using before = keysOf(entry(1, key));
  const old = before.encrypt(text);
  using after = keysOf(
    entry(1, key),
    entry(3, randomBytes(32), { state: 'retired' }),
    entry(2, randomBytes(32)),
  );
  const fresh = after.encrypt(text);
  assert.deepEqual(after.decrypt(old), text);
  assert.deepEqual(after.decrypt(fresh), text);
  assert.throws(() => before.decrypt(fresh), refused);
});

test('the keys are those of the instance, and gone with it', async () => {
  const { instance } = await createTestInstance();
  const encrypted = instance.cipher.encrypt(text);
  assert.deepEqual(instance.cipher.decrypt(encrypted), text);
  instance[Symbol.dispose]();
  assert.throws(() => instance.cipher.encrypt(text), hasCode('state_not_ready'));
  assert.throws(() => instance.cipher.decrypt(encrypted), hasCode('state_not_ready'));
});
