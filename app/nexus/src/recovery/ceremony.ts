import { createDecipheriv, createHash } from 'node:crypto';
import { Polynomial, type RootKey, type Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { findRootKey, liesOn, mostTries } from './candidate.ts';
import type { FetchedShare } from './keeper-set.ts';

/** What Bootstrap sends to prove that the shares which it handed out make its root key. */
export interface BootstrapProof {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

const tagBytes = 16;
const nonceBytes = 12;

/**
 * Opens the proof with the root key and answers SHA-256 of what is in it, in hexadecimal; undefined when it does not
 * open. This is the one place where the root key itself is an AES key (`wire.md` 8, step 6).
 */
export function answerProof(rootKey: RootKey, proof: BootstrapProof): string | undefined {
  const { nonce, ciphertext } = proof;
  if (nonce.length !== nonceBytes || ciphertext.length < tagBytes) return undefined;
  return rootKey.secret.expose((key) => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce);
    decipher.setAuthTag(ciphertext.subarray(-tagBytes));
    try {
      const plaintext = Buffer.concat([decipher.update(ciphertext.subarray(0, -tagBytes)), decipher.final()]);
      const hash = createHash('sha256').update(plaintext).digest('hex');
      plaintext.fill(0);
      return hash;
    } catch {
      return undefined;
    }
  });
}

export interface Proven {
  readonly polynomial: Polynomial;
  readonly hash: string;
  /** Keepers whose share is not of this split. */
  readonly wrongKeepers: readonly number[];
}

export interface ProofRules {
  readonly threshold: number;
  readonly count: number;
  /**
   * A Bootstrap with a lease is alone, so any threshold of shares will do. One of the Go original takes none and may
   * have been overtaken by another: then every Keeper must hold a share, and all must lie on one polynomial.
   */
  readonly lease: boolean;
}

/** Finds the split that the Keepers hold and that the proof was made with. Throws `state_not_ready` when there is none. */
export function proveSplit(
  fetched: readonly FetchedShare[],
  proof: BootstrapProof,
  rules: ProofRules,
): Proven {
  const shares: readonly Share[] = fetched.map(({ share }) => share);
  if (!rules.lease && shares.length !== rules.count) {
    throw notReady(
      `${shares.length} of ${rules.count} Keepers hold a share, and a Bootstrap without a lease needs all`,
    );
  }
  const { found, gaveUp } = findRootKey(shares, rules.threshold, (rootKey) => answerProof(rootKey, proof));
  if (found === undefined) {
    const tried = gaveUp ? ` (only ${mostTries} of their sets were tried)` : '';
    throw notReady(`the shares that the Keepers hold do not make the key of this Bootstrap${tried}`);
  }
  const wrongKeepers = fetched
    .filter(({ share }) => !liesOn(found.polynomial, share))
    .map(({ keeper }) => keeper);
  if (!rules.lease && wrongKeepers.length > 0) {
    throw notReady(`the share of Keeper ${wrongKeepers.join(', ')} is not of this Bootstrap`);
  }
  return { polynomial: found.polynomial, hash: found.proof, wrongKeepers };
}

function notReady(message: string): SpikeError {
  return new SpikeError('state_not_ready', `${message}; Bootstrap hands them out and asks again`);
}
