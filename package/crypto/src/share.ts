import { createHash } from 'node:crypto';

import { SpikeError } from '@spike/error';

import { encodeFields } from './encode.ts';
import { order, scalarBytes, toScalar } from './scalar.ts';
import { Secret } from './secret.ts';

/** The most shares of one split, and so the highest id. */
export const mostShares = 255;

/** One point of the polynomial: f(id). */
export class Share implements Disposable {
  readonly id: number;
  readonly value: Secret;

  private constructor(id: number, value: Secret) {
    this.id = id;
    this.value = value;
  }

  /**
   * Copies and wipes the bytes. Throws SpikeError `shamir_reconstruction_failed` for an id outside of 1..255 (the share
   * with id 0 would be the root key itself) and for a value that is not 32 bytes below the order.
   */
  static take(id: number, bytes: Uint8Array): Share {
    const inField = bytes.length === scalarBytes && toScalar(bytes) < order;
    const value = Secret.take(bytes);
    if (inField && Number.isInteger(id) && id >= 1 && id <= mostShares) return new Share(id, value);
    value.dispose();
    throw new SpikeError(
      'shamir_reconstruction_failed',
      inField ? `a share has an id from 1 to ${mostShares}` : 'a share is 32 bytes, below the order of P-256',
      { detail: Number.isInteger(id) ? { id } : {} },
    );
  }

  equals(other: Share): boolean {
    return this.id === other.id && this.value.equals(other.value);
  }

  [Symbol.dispose](): void {
    this.value.dispose();
  }
}

/**
 * What may be known of a share in the clear: it names a wrong one without telling anything of a right one. Nexus keeps
 * these in the head of the store, a Keeper answers its own.
 */
export function digestShare(instance: string, generation: number, share: Share): Uint8Array {
  return share.value.expose((value) => {
    const fields = encodeFields('spike/v1/share-digest', instance, generation, share.id, value);
    const digest = createHash('sha256').update(fields).digest();
    fields.fill(0);
    return digest;
  });
}
