import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { Secret } from '../secret.ts';
import { XaesKey } from '../xaes.ts';

/** "Accumulated randomized tests" of https://c2sp.org/XAES-256-GCM: the hash over all ciphertexts, in hex. */
export function accumulate(iterations: number): string {
  // A message takes 58 bytes and two texts of 0 to 255; Node reads no stream from SHAKE, so the whole of it is made at once.
  const stream = createHash('shake128', { outputLength: iterations * 330 + 65_536 }).digest();
  const hash = createHash('shake128', { outputLength: 32 });
  let at = 0;
  const read = (size: number): Buffer => {
    at += size;
    assert.ok(at <= stream.length);
    return Buffer.from(stream.subarray(at - size, at));
  };
  for (let i = 0; i < iterations; i++) {
    using secret = Secret.take(read(32));
    const nonce = read(24);
    using key = XaesKey.from(secret, () => nonce);
    const plaintext = read(read(1)[0] ?? 0);
    const aad = read(read(1)[0] ?? 0);
    const sealed = key.seal(plaintext, aad);
    assert.ok(plaintext.equals(key.open(nonce, sealed.body, aad)));
    hash.update(sealed.body);
  }
  return hash.digest('hex');
}
