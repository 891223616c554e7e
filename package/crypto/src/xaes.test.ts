import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import fc from 'fast-check';

import { Secret } from './secret.ts';
import { accumulate } from './testing/accumulated.ts';
import { XaesKey } from './xaes.ts';

interface Vectors {
  readonly vectors: readonly Record<'key' | 'nonce' | 'plaintext' | 'aad' | 'ciphertext', string>[];
  readonly accumulated: Readonly<Record<string, string>>;
}

const file = await readFile(new URL('../vector/xaes-256-gcm.json', import.meta.url), 'utf8');
const published = JSON.parse(file) as Vectors;

const keyOf = (byte: number): XaesKey => {
  using secret = Secret.take(Buffer.alloc(32, byte));
  return XaesKey.from(secret);
};
const refused = (thrown: unknown): boolean =>
  thrown instanceof SpikeError && thrown.code === 'crypto_decryption_failed';

test('XAES-256-GCM gives the published ciphertexts and opens them', () => {
  assert.equal(published.vectors.length, 2);
  for (const vector of published.vectors) {
    using secret = Secret.take(Buffer.from(vector.key, 'hex'));
    const nonce = Buffer.from(vector.nonce, 'ascii');
    using key = XaesKey.from(secret, () => nonce);
    const sealed = key.seal(Buffer.from(vector.plaintext), Buffer.from(vector.aad));
    assert.equal(Buffer.from(sealed.body).toString('hex'), vector.ciphertext);
    const opened = key.open(nonce, sealed.body, Buffer.from(vector.aad));
    assert.equal(Buffer.from(opened).toString(), vector.plaintext);
  }
});

test('XAES-256-GCM gives the published hash over 10 000 random messages', () => {
  assert.equal(accumulate(10_000), published.accumulated['10000']);
});

test('what is sealed opens to itself, and with nothing changed', () => {
  using key = keyOf(7);
  using otherKey = keyOf(8);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array(), fc.nat(), (text, aad, where) => {
      const { nonce, body } = key.seal(text, aad);
      assert.deepEqual(Uint8Array.from(key.open(nonce, body, aad)), text);
      const flipped = (bytes: Uint8Array): Uint8Array =>
        bytes.map((byte, i) => (i === where % bytes.length ? byte ^ 1 : byte));
      assert.throws(() => key.open(flipped(nonce), body, aad), refused);
      assert.throws(() => key.open(nonce, flipped(body), aad), refused);
      assert.throws(() => key.open(nonce, body, Uint8Array.of(...aad, 0)), refused);
      assert.throws(() => key.open(nonce, body.subarray(1), aad), refused);
      assert.throws(() => otherKey.open(nonce, body, aad), refused);
    }),
  );
});

test('a body shorter than its tag and a nonce of another size are refused', () => {
  using key = keyOf(7);
  const { nonce, body } = key.seal(new Uint8Array(), new Uint8Array());
  assert.throws(() => key.open(nonce, body.subarray(0, 15), new Uint8Array()), refused);
  assert.throws(() => key.open(nonce.subarray(1), body, new Uint8Array()), refused);
  assert.throws(() => XaesKey.from(Secret.take(new Uint8Array(31))), RangeError);
});

test('each message gets a nonce of its own', () => {
  using key = keyOf(7);
  const nonces = Array.from({ length: 1000 }, () => key.seal(new Uint8Array(1), new Uint8Array()).nonce);
  assert.equal(new Set(nonces.map((nonce) => Buffer.from(nonce).toString('hex'))).size, 1000);
});

test('a wiped key neither seals nor opens', () => {
  const key = keyOf(7);
  const { nonce, body } = key.seal(new Uint8Array(1), new Uint8Array());
  key[Symbol.dispose]();
  assert.throws(() => key.seal(new Uint8Array(1), new Uint8Array()), TypeError);
  assert.throws(() => key.open(nonce, body, new Uint8Array()), TypeError);
});
