import type { CipherEnvelope } from '@spike/contract';
import { SpikeError } from '@spike/error';

import { tagBytes, type CipherKeys } from '../vault/cipher-key.ts';
import type { Granted } from './port.ts';

export interface CipherServiceOptions {
  readonly keys: Pick<CipherKeys, 'encrypt' | 'decrypt'>;
  /** Of one message, with its tag. */
  readonly maxCiphertextBytes: number;
}

/** Encryption as a service: nothing that goes through here is kept. */
export class CipherService {
  readonly #keys: Pick<CipherKeys, 'encrypt' | 'decrypt'>;
  readonly #maxCiphertextBytes: number;

  constructor(options: CipherServiceOptions) {
    this.#keys = options.keys;
    this.#maxCiphertextBytes = options.maxCiphertextBytes;
  }

  /** Throws `data_invalid_input` for more than `decrypt` would take back. */
  encrypt(_grant: Granted, plaintext: Uint8Array): CipherEnvelope {
    const most = this.#maxCiphertextBytes - tagBytes;
    if (plaintext.length > most) throw tooLong('plaintext', most);
    const { nonce, body } = this.#keys.encrypt(plaintext);
    return { version: 1, nonce, ciphertext: body };
  }

  /** Throws `data_invalid_input`, and `crypto_decryption_failed` for what was not encrypted here. */
  decrypt(_grant: Granted, { nonce, ciphertext }: Pick<CipherEnvelope, 'nonce' | 'ciphertext'>): Uint8Array {
    if (ciphertext.length > this.#maxCiphertextBytes) throw tooLong('ciphertext', this.#maxCiphertextBytes);
    return this.#keys.decrypt({ nonce, body: ciphertext });
  }
}

function tooLong(what: string, most: number): SpikeError {
  return new SpikeError(
    'data_invalid_input',
    `a ${what} has at most ${most} bytes; SPIKE_NEXUS_CRYPTO_MAX_CIPHERTEXT_SIZE of Nexus says how many`,
  );
}
