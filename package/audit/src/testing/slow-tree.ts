import { createHash } from 'node:crypto';

/* The definitions of RFC 6962, section 2.1, word for word: slow, and obviously right. */

type Leaves = readonly Uint8Array[];

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** MTH */
export function slowRoot(leaves: Leaves): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), only);
  const k = splitOf(leaves.length);
  return sha256(Uint8Array.of(1), slowRoot(leaves.slice(0, k)), slowRoot(leaves.slice(k)));
}

/** PATH */
export function slowPath(m: number, leaves: Leaves): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const k = splitOf(leaves.length);
  return m < k
    ? [...slowPath(m, leaves.slice(0, k)), slowRoot(leaves.slice(k))]
    : [...slowPath(m - k, leaves.slice(k)), slowRoot(leaves.slice(0, k))];
}

/** PROOF */
export function slowProof(m: number, leaves: Leaves): Uint8Array[] {
  return m === 0 ? [] : subproof(m, leaves, true);
}

function subproof(m: number, leaves: Leaves, isWhole: boolean): Uint8Array[] {
  if (m === leaves.length) return isWhole ? [] : [slowRoot(leaves)];
  const k = splitOf(leaves.length);
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), isWhole), slowRoot(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), slowRoot(leaves.slice(0, k))];
}
