import { randomBytes } from 'node:crypto';

/** Order of the group of NIST P-256 (FIPS 186-5 / SP 800-186, 3.2.1.3): Shamir's field, as in the Go original. */
export const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export const scalarBytes = 32;

export function toScalar(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`);
}

export function fromScalar(value: bigint): Uint8Array {
  const hex = value.toString(16).padStart(2 * scalarBytes, '0');
  const out = new Uint8Array(scalarBytes);
  for (let i = 0; i < scalarBytes; i++) out[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export function modulo(value: bigint): bigint {
  const rest = value % order;
  return rest < 0n ? rest + order : rest;
}

/** Inverse by Fermat: the order is prime. Not constant-time, as no BigInt is. */
export function invert(value: bigint): bigint {
  let result = 1n;
  let base = modulo(value);
  for (let exponent = order - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % order;
    base = (base * base) % order;
  }
  return result;
}

/** Uniform in 1..n-1, by drawing again: reducing instead would prefer small values. */
export function randomScalar(random: (size: number) => Uint8Array = randomBytes): Uint8Array {
  for (;;) {
    const bytes = random(scalarBytes);
    const value = toScalar(bytes);
    if (value > 0n && value < order) return bytes;
    bytes.fill(0);
  }
}
