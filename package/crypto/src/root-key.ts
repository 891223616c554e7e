import { randomBytes } from 'node:crypto';

import { SpikeError } from '@spike/error';

import { order, randomScalar, scalarBytes, toScalar } from './scalar.ts';
import { Secret } from './secret.ts';

/** The root key: 32 bytes that are a P-256 scalar from 1 to n-1, big-endian. Lives in memory only. */
export class RootKey implements Disposable {
  readonly secret: Secret;

  private constructor(secret: Secret) {
    this.secret = secret;
  }

  static generate(random: (size: number) => Uint8Array = randomBytes): RootKey {
    return new RootKey(Secret.take(randomScalar(random)));
  }

  /** Copies and wipes the bytes; throws SpikeError `shamir_reconstruction_failed` when they are no scalar from 1 to n-1. */
  static take(bytes: Uint8Array): RootKey {
    const valid = bytes.length === scalarBytes && toScalar(bytes) > 0n && toScalar(bytes) < order;
    const secret = Secret.take(bytes);
    if (valid) return new RootKey(secret);
    secret.dispose();
    throw new SpikeError('shamir_reconstruction_failed', 'a root key is a P-256 scalar from 1 to n-1');
  }

  clone(): RootKey {
    return new RootKey(this.secret.clone());
  }

  equals(other: RootKey): boolean {
    return this.secret.equals(other.secret);
  }

  [Symbol.dispose](): void {
    this.secret.dispose();
  }
}
