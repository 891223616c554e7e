import { createCipheriv, createDecipheriv, randomFillSync, type Cipheriv } from 'node:crypto';

import { SpikeError } from '@spike/error';

import type { Secret } from './secret.ts';

export const nonceBytes = 24;
const tagBytes = 16;
const gcm = { authTagLength: tagBytes } as const;
/** One question to the generator costs as much for so many nonces as for one. */
const noncesPerPage = 64;

export interface SealedBody {
  readonly nonce: Uint8Array;
  /** Ciphertext and then the 16 bytes of its tag. */
  readonly body: Uint8Array;
}

/**
 * XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key that is derived for each message from half of
 * a 192-bit random nonce, so that there is no counter to keep and none to coordinate. It is not key-committing.
 */
export class XaesKey implements Disposable {
  readonly #random: () => Uint8Array;
  /** What the derivation encrypts, both blocks, but for the nonce: made once, and the nonce is mixed into a copy. */
  readonly #frame: Uint8Array;
  readonly #input = new Uint8Array(32);
  #block: Cipheriv | undefined;

  private constructor(block: Cipheriv, k1: Uint8Array, random: () => Uint8Array) {
    this.#block = block;
    this.#frame = frameOf(k1);
    this.#random = random;
  }

  /** Takes a 32-byte key; it is not kept, only the expanded AES key inside OpenSSL is. `random` is there for published vectors. */
  static from(key: Secret, random: () => Uint8Array = noncePages()): XaesKey {
    if (key.length !== 32) throw new RangeError('an XAES-256-GCM key has 32 bytes');
    // ECB without padding is the bare block cipher, which the derivation needs; its context is kept, since making it costs more than using it.
    const block = key.expose((bytes) => createCipheriv('aes-256-ecb', bytes, null).setAutoPadding(false));
    const k1 = doubled(block.update(new Uint8Array(16)));
    return new XaesKey(block, k1, random);
  }

  seal(plaintext: Uint8Array, aad: Uint8Array): SealedBody {
    const nonce = this.#random();
    const subkey = this.#subkey(nonce);
    const cipher = createCipheriv('aes-256-gcm', subkey, nonce.subarray(12), gcm);
    subkey.fill(0);
    cipher.setAAD(aad);
    // Memory of its own: a body that is kept would keep a slab of Node's pool, with plaintext of others in it.
    const body = new Uint8Array(plaintext.length + tagBytes);
    body.set(cipher.update(plaintext));
    cipher.final();
    body.set(cipher.getAuthTag(), plaintext.length);
    return { nonce, body };
  }

  /** Throws SpikeError `crypto_decryption_failed` when key, nonce, body and associated data do not belong together. */
  open(nonce: Uint8Array, body: Uint8Array, aad: Uint8Array): Uint8Array {
    if (nonce.length !== nonceBytes || body.length < tagBytes) throw refused();
    const subkey = this.#subkey(nonce);
    const decipher = createDecipheriv('aes-256-gcm', subkey, nonce.subarray(12), gcm);
    subkey.fill(0);
    decipher.setAAD(aad);
    decipher.setAuthTag(body.subarray(body.length - tagBytes));
    const plaintext = decipher.update(body.subarray(0, body.length - tagBytes));
    try {
      decipher.final();
    } catch (cause) {
      plaintext.fill(0);
      throw refused(cause);
    }
    return plaintext;
  }

  /** NIST SP 800-108r1 counter mode with CMAC, as the specification spells it out in its steps 3 to 5. */
  #subkey(nonce: Uint8Array): Uint8Array {
    if (this.#block === undefined) throw new TypeError('this key has been wiped');
    const input = this.#input;
    const frame = this.#frame;
    input.set(frame);
    for (let i = 0; i < 12; i++) {
      const byte = nonce[i] ?? 0;
      input[4 + i] = (frame[4 + i] ?? 0) ^ byte;
      input[20 + i] = (frame[20 + i] ?? 0) ^ byte;
    }
    return this.#block.update(input);
  }

  [Symbol.dispose](): void {
    // OpenSSL cleanses the context when it is collected.
    this.#block = undefined;
    this.#frame.fill(0);
    this.#input.fill(0);
  }
}

/** Both blocks of steps 3 and 4 (counter, `X`, zero), mixed with k1. */
function frameOf(k1: Uint8Array): Uint8Array {
  const frame = new Uint8Array(32);
  for (const [at, counter] of [
    [0, 1],
    [16, 2],
  ] as const) {
    frame.set(k1, at);
    frame[at + 1] = (frame[at + 1] ?? 0) ^ counter;
    frame[at + 2] = (frame[at + 2] ?? 0) ^ 0x58;
  }
  k1.fill(0);
  return frame;
}

/** Gives out random nonces, each in memory of its own, drawn by the page. */
function noncePages(): () => Uint8Array {
  const page = new Uint8Array(noncesPerPage * nonceBytes);
  let at = page.length;
  return () => {
    if (at === page.length) {
      randomFillSync(page);
      at = 0;
    }
    at += nonceBytes;
    return page.slice(at - nonceBytes, at);
  };
}

/** Multiplication by x in GF(2^128), as CMAC does it (NIST SP 800-38B, 6.1). */
function doubled(block: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 0; i < 16; i++) out[i] = ((block[i] ?? 0) << 1) | ((block[i + 1] ?? 0) >> 7);
  if ((block[0] ?? 0) & 0x80) out[15] = (out[15] ?? 0) ^ 0b10000111;
  return out;
}

function refused(cause?: unknown): SpikeError {
  return new SpikeError('crypto_decryption_failed', 'this does not open with this key', { cause });
}
