import { NoteSigner } from '@spike/audit';
import type { Secret } from '@spike/crypto';
import type { Keyring } from '../vault/keyring.ts';
import { broken } from '../vault/integrity.ts';

interface Seed {
  readonly number: number;
  readonly key: Secret;
}

/** The Ed25519 seeds that sign checkpoints, oldest first; the last of them is the one that signs now. */
export class AuditKeys implements Disposable {
  readonly #seeds: readonly Seed[];

  /** Copies what it needs. Throws SpikeError `store_integrity` when there is no active key. */
  constructor(keyring: Keyring) {
    const { number: newest } = keyring.current('audit');
    this.#seeds = keyring
      .all('audit')
      .filter(({ number }) => number <= newest)
      .toSorted((a, b) => a.number - b.number)
      .map(({ number, key }) => ({ number, key: key.clone() }));
  }

  /** Signers under this name, oldest first; the last of them signs now. */
  signers(name: string): readonly NoteSigner[] {
    return this.#seeds.map(({ key }) => new NoteSigner(name, (use) => key.expose(use)));
  }

  current(name: string): NoteSigner {
    const signer = this.signers(name).at(-1);
    if (signer === undefined) throw broken('the keyring has no key for the audit');
    return signer;
  }

  [Symbol.dispose](): void {
    for (const { key } of this.#seeds) key.dispose();
  }
}
