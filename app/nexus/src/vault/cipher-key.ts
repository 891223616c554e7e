import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { derive, encodeFields, type Secret } from '@spike/crypto';
import { SpikeError } from '@spike/error';

import type { Keyring, KeyringEntry } from './keyring.ts';

/** What one message grows by, besides version and nonce. */
export const tagBytes = 16;
const nonceBytes = 12;
const label = 'spike/cipher';
const format = 1;

export interface CipherBody {
  readonly nonce: Uint8Array;
  /** Ciphertext and then the 16 bytes of its tag. */
  readonly body: Uint8Array;
}

/**
 * The keys of encryption as a service, which open nothing of the store. The wire has room for a nonce of 96 random bits
 * and no more (wire.md 1.5), so each message has a key of its own, derived from its nonce: should two of them ever meet,
 * they tell about each other, and never the key by which tags of all others could be forged (doc/decision/0006).
 */
export class CipherKeys implements Disposable {
  readonly #current: KeyringEntry;
  /** Newest first. The wire does not say under which of them a message lies. */
  readonly #entries: readonly KeyringEntry[];
  #wiped = false;

  /** Copies what it needs. */
  constructor(keyring: Keyring) {
    const current = keyring.current('cipher');
    this.#entries = keyring
      .all('cipher')
      .toSorted((a, b) => b.number - a.number)
      .map((entry) => ({ ...entry, key: entry.key.clone() }));
    const found = this.#entries.find(
      ({ number, instance }) => number === current.number && instance === current.instance,
    );
    if (found === undefined) throw new TypeError('the current key is one of all');
    this.#current = found;
  }

  encrypt(plaintext: Uint8Array): CipherBody {
    this.#assertKeys();
    const nonce = Uint8Array.from(randomBytes(nonceBytes));
    using key = messageKey(this.#current, nonce);
    const cipher = key.expose((bytes) =>
      createCipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes }),
    );
    cipher.setAAD(aad(this.#current));
    const body = new Uint8Array(plaintext.length + tagBytes);
    body.set(cipher.update(plaintext));
    cipher.final();
    body.set(cipher.getAuthTag(), plaintext.length);
    return { nonce, body };
  }

  /** Throws SpikeError `crypto_decryption_failed` for whatever these keys did not encrypt. */
  decrypt({ nonce, body }: CipherBody): Uint8Array {
    this.#assertKeys();
    if (nonce.length === nonceBytes && body.length >= tagBytes) {
      for (const entry of this.#entries) {
        const plaintext = open(entry, nonce, body);
        if (plaintext !== undefined) return plaintext;
      }
    }
    throw new SpikeError('crypto_decryption_failed', 'this was not encrypted here, or it was changed since');
  }

  [Symbol.dispose](): void {
    this.#wiped = true;
    for (const { key } of this.#entries) key.dispose();
  }

  #assertKeys(): void {
    if (this.#wiped) throw new SpikeError('state_not_ready', 'the keys have been wiped');
  }
}

function open(entry: KeyringEntry, nonce: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  using key = messageKey(entry, nonce);
  const decipher = key.expose((bytes) =>
    createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes }),
  );
  decipher.setAAD(aad(entry));
  decipher.setAuthTag(body.subarray(body.length - tagBytes));
  const plaintext = decipher.update(body.subarray(0, body.length - tagBytes));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}

function messageKey({ key, instance, number }: KeyringEntry, nonce: Uint8Array): Secret {
  return derive('cipher/message', key, instance, number, nonce);
}

function aad({ instance, number }: KeyringEntry): Uint8Array {
  return encodeFields(label, format, instance, number);
}
