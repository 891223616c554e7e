import type { KeyObject } from 'node:crypto';
import type { Secret } from '@spike/crypto';
import { keyIdOf, publicKeyOf, resetKeyOf } from '@spike/reset';
import type { Keyring } from './keyring.ts';

export interface ResetPublicKey {
  /** The script names it by this. */
  readonly id: string;
  readonly publicKey: string;
}

/** The Ed25519 keys that sign reset scripts, and nothing else. */
export class ResetKeys implements Disposable {
  /** The current one first. Those of other instances, which a restore may bring, are not among them. */
  readonly published: readonly ResetPublicKey[];
  readonly #seed: Secret;

  constructor(keyring: Keyring, instance: string) {
    const newest = keyring.current('reset');
    const others = keyring.all('reset').filter((entry) => entry !== newest && entry.instance === instance);
    this.published = [newest, ...others].map(({ key }) => {
      const publicKey = publicKeyOf(key.expose(resetKeyOf));
      return { id: keyIdOf(publicKey), publicKey };
    });
    this.#seed = newest.key.clone();
  }

  /** For one signature. */
  get current(): KeyObject {
    return this.#seed.expose(resetKeyOf);
  }

  [Symbol.dispose](): void {
    this.#seed.dispose();
  }
}
