import { createHash, randomBytes } from 'node:crypto';

import { SpikeError } from '@spike/error';

import { RootKey } from './root-key.ts';
import { fromScalar, invert, modulo, order, toScalar } from './scalar.ts';
import { Secret } from './secret.ts';
import { mostShares, Share } from './share.ts';

/**
 * A root key split by Shamir over the scalar field of P-256: degree t-1, the root key at 0, share i is f(i). Any t
 * shares give the root key back, fewer tell nothing. Coefficients are BigInts, which can be neither wiped nor used in
 * constant time; a split is therefore kept only where the root key is kept too.
 */
export class Polynomial {
  readonly #coefficients: readonly bigint[];

  private constructor(coefficients: readonly bigint[]) {
    checkThreshold(coefficients.length);
    this.#coefficients = coefficients;
  }

  /** A new split at random: what Nexus and our Bootstrap make. */
  static random(
    rootKey: RootKey,
    threshold: number,
    random: (size: number) => Uint8Array = randomBytes,
  ): Polynomial {
    checkThreshold(threshold);
    return Polynomial.#above(rootKey, threshold, () => random(32));
  }

  /**
   * The split of the Go original (circl 1.6.2 and later): coefficients are SHA-256 of the root key, of that hash, and so
   * on, without those that are not below the order. It makes the same shares whenever it is asked.
   */
  static deterministic(rootKey: RootKey, threshold: number): Polynomial {
    checkThreshold(threshold);
    let block = rootKey.secret.expose((bytes) => Uint8Array.from(bytes));
    return Polynomial.#above(rootKey, threshold, () => {
      block = createHash('sha256').update(block).digest();
      return block;
    });
  }

  static #above(rootKey: RootKey, threshold: number, draw: () => Uint8Array): Polynomial {
    const coefficients = [rootKey.secret.expose(toScalar)];
    while (coefficients.length < threshold) {
      const value = toScalar(draw());
      if (value < order) coefficients.push(value);
    }
    return new Polynomial(coefficients);
  }

  /** Throws SpikeError `shamir_reconstruction_failed` when a coefficient is not below the order or the lowest is 0. */
  static fromCoefficients(coefficients: readonly Secret[]): Polynomial {
    const values = coefficients.map((coefficient) => coefficient.expose(toScalar));
    const valid =
      coefficients.every((coefficient) => coefficient.length === 32) &&
      values.every((value) => value < order) &&
      values[0] !== 0n;
    if (!valid) throw new SpikeError('shamir_reconstruction_failed', 'a coefficient is not a P-256 scalar');
    return new Polynomial(values);
  }

  /**
   * The polynomial through t of these shares, when all of the others lie on it too. Throws SpikeError
   * `shamir_not_enough_shards` or, for shares that do not belong together, `shamir_reconstruction_failed`.
   */
  static interpolate(shares: readonly Share[], threshold: number): Polynomial {
    const points = toPoints(shares, threshold);
    const coefficients = Array.from({ length: threshold }, () => 0n);
    for (const [i, point] of points.entries()) {
      // The Lagrange basis polynomial of this point, multiplied out.
      let basis = [1n];
      let divisor = 1n;
      for (const [j, other] of points.entries()) {
        if (i === j) continue;
        basis = timesRoot(basis, other.x);
        divisor = modulo(divisor * (point.x - other.x));
      }
      const weight = modulo(point.y * invert(divisor));
      basis.forEach((value, k) => (coefficients[k] = modulo((coefficients[k] ?? 0n) + value * weight)));
    }
    if (coefficients[0] === 0n) throw apart('these shares give no root key');
    const polynomial = new Polynomial(coefficients);
    for (const share of shares) {
      using expected = polynomial.share(share.id);
      if (!expected.equals(share)) throw apart('a share does not lie on the polynomial of the others', share);
    }
    return polynomial;
  }

  get threshold(): number {
    return this.#coefficients.length;
  }

  /** The root key, a copy of its own. */
  rootKey(): RootKey {
    return RootKey.take(fromScalar(this.#coefficients[0] ?? 0n));
  }

  /** f(id), for ids from 1 to 255. */
  share(id: number): Share {
    const x = BigInt(id);
    let y = 0n;
    for (const coefficient of this.#coefficients.toReversed()) y = modulo(y * x + coefficient);
    return Share.take(id, fromScalar(y));
  }

  /** From the lowest (the root key) to the highest, 32 bytes each. */
  coefficients(): readonly Secret[] {
    return this.#coefficients.map((value) => Secret.take(fromScalar(value)));
  }
}

/**
 * The root key that the first t of these shares give. There is no check value in it: wrong shares give a wrong key, so
 * compare its commitment before it is used. Throws as `Polynomial.interpolate` does.
 */
export function combine(shares: readonly Share[], threshold: number): RootKey {
  const points = toPoints(shares, threshold);
  let sum = 0n;
  for (const point of points) {
    let numerator = 1n;
    let divisor = 1n;
    for (const other of points) {
      if (other === point) continue;
      numerator = modulo(numerator * other.x);
      divisor = modulo(divisor * (other.x - point.x));
    }
    sum = modulo(sum + point.y * numerator * invert(divisor));
  }
  return RootKey.take(fromScalar(sum));
}

function toPoints(shares: readonly Share[], threshold: number): readonly { x: bigint; y: bigint }[] {
  checkThreshold(threshold);
  const ids = new Set<number>();
  for (const share of shares) {
    if (ids.has(share.id)) throw apart('two shares have the same id', share);
    ids.add(share.id);
  }
  if (shares.length < threshold) {
    throw new SpikeError(
      'shamir_not_enough_shards',
      `${shares.length} of the ${threshold} shares that are needed`,
    );
  }
  return shares
    .slice(0, threshold)
    .map((share) => ({ x: BigInt(share.id), y: share.value.expose(toScalar) }));
}

/** p(x) · (x − root) */
function timesRoot(p: readonly bigint[], root: bigint): bigint[] {
  return Array.from({ length: p.length + 1 }, (_, k) => modulo((p[k - 1] ?? 0n) - (p[k] ?? 0n) * root));
}

function checkThreshold(threshold: number): void {
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > mostShares) {
    throw new RangeError(`a threshold is from 1 to ${mostShares}`);
  }
}

function apart(message: string, share?: Share): SpikeError {
  return new SpikeError('shamir_reconstruction_failed', message, {
    detail: share === undefined ? {} : { id: share.id },
  });
}
