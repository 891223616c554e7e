import type { RootKey, Share } from '@spike/crypto';
import { SpikeError, toSpikeError } from '@spike/error';
import { findRootKey, liesOn } from '../recovery/candidate.ts';
import { newestSplit, parseHead, type InstanceHead, type SplitHead } from '../vault/head.ts';
import { OpenInstance } from '../vault/instance.ts';
import { unwrapKeyring, type KeyringEntry } from '../vault/keyring.ts';
import { matchesHint } from '../vault/manifest.ts';

/** A backup's instance, opened with recovery shares of it. Its owner disposes it, which wipes the keys. */
export interface OpenBackup extends Disposable {
  readonly instance: OpenInstance;
  /** The keys of encryption as a service: what they encrypted is to be decrypted after a restore, too. */
  readonly cipherKeys: readonly KeyringEntry[];
}

/** Shares and keys are forgotten after so long without a further share, or further bytes of the backup. */
export const idleMs = 15 * 60_000;
/** And after so long in any case, whatever comes: no session of an administrator is longer. */
export const longestMs = 12 * 3_600_000;

/** The recovery shares of a backup's instance that were brought until now. */
export class BackupShares implements Disposable {
  readonly head: InstanceHead;
  readonly split: SplitHead;
  readonly #bytes: Uint8Array;
  readonly #shares = new Map<number, Share>();

  /** Throws SpikeError `store_integrity` for a head that is none. */
  constructor(headBytes: Uint8Array) {
    this.#bytes = headBytes;
    this.head = parseHead(headBytes);
    this.split = newestSplit(this.head.splits, 'recovery');
  }

  get collected(): number {
    return this.#shares.size;
  }

  get remaining(): number {
    return Math.max(0, this.split.threshold - this.#shares.size);
  }

  /**
   * Takes a share over; answers whether it was here before. Throws SpikeError `shamir_reconstruction_failed` for one that
   * is not of this instance, and then nothing has changed.
   */
  take(share: Share): boolean {
    const { id } = share;
    const { instance } = this.head;
    if (!matchesHint(this.split, instance, share)) {
      share[Symbol.dispose]();
      throw new SpikeError(
        'shamir_reconstruction_failed',
        `share ${id} is not a recovery share of instance ${instance}, of which this backup is; nothing was changed`,
        { detail: { id } },
      );
    }
    const isRepeated = this.#shares.has(id);
    if (isRepeated) share[Symbol.dispose]();
    else this.#shares.set(id, share);
    return isRepeated;
  }

  /**
   * Puts the root key together, opens the keyring and forgets both. The hints lie in the clear, so shares that they call
   * right can still be wrong: throws `shamir_reconstruction_failed` then, and `store_integrity` for a damaged head.
   */
  open(): OpenBackup {
    const shares = [...this.#shares.values()];
    const { found } = findRootKey(shares, this.split.threshold, (key) =>
      openWith(key, this.#bytes, this.head),
    );
    if (found === undefined) {
      throw new SpikeError(
        'shamir_reconstruction_failed',
        'these shares do not open the backup, though it names them: it was tampered with, or it is damaged',
      );
    }
    using _root = found.polynomial.rootKey();
    const wrong = shares.filter((share) => !liesOn(found.polynomial, share)).map(({ id }) => id);
    if (wrong.length === 0) return found.proof;
    found.proof[Symbol.dispose]();
    throw new SpikeError('shamir_reconstruction_failed', `wrong among the shares: ${wrong.join(', ')}`);
  }

  [Symbol.dispose](): void {
    for (const share of this.#shares.values()) share[Symbol.dispose]();
    this.#shares.clear();
  }
}

function openWith(rootKey: RootKey, bytes: Uint8Array, head: InstanceHead): OpenBackup | undefined {
  try {
    const instance = OpenInstance.open(rootKey, bytes);
    using keyring = unwrapKeyring(head, rootKey);
    const cipherKeys = keyring.all('cipher').map((entry) => ({ ...entry, key: entry.key.clone() }));
    return {
      instance,
      cipherKeys,
      [Symbol.dispose]: () => {
        instance[Symbol.dispose]();
        for (const { key } of cipherKeys) key.dispose();
      },
    };
  } catch (error) {
    if (toSpikeError(error).code === 'crypto_decryption_failed') return undefined;
    throw error;
  }
}
