import { hashBytes, hashLeaf, hashNode } from './tree.ts';

/** Leaves from this one to before that one. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The largest power of two below n, for n above 1. Sizes go beyond 32 bits. */
function split(n: number): number {
  let k = 2 ** Math.floor(Math.log2(n));
  while (k >= n) k /= 2;
  while (k * 2 < n) k *= 2;
  return k;
}

/**
 * Whose hashes prove that this leaf is in a tree of this size: from its sibling up (RFC 9162, section 2.1.3.1; PATH of
 * RFC 6962, section 2.1.1). Throws RangeError.
 */
export function inclusionRanges(index: number, size: number): readonly Range[] {
  if (!isSize(size) || !isSize(index) || index >= size) throw new RangeError('no such leaf');
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.toReversed();
}

/**
 * Whose hashes prove that a tree of the first size is the beginning of one of the second (RFC 9162, section 2.1.4.1;
 * PROOF of RFC 6962, section 2.1.2). None where both are the same or the first is empty. Throws RangeError.
 */
export function consistencyRanges(first: number, second: number): readonly Range[] {
  if (!isSize(first) || !isSize(second) || first > second) throw new RangeError('a log does not get shorter');
  if (first === 0 || first === second) return [];
  const ranges: Range[] = [];
  let [from, to, whole] = [0, second, true];
  while (first < to) {
    const middle = from + split(to - from);
    if (first <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
      whole = false;
    }
  }
  if (!whole) ranges.push({ from, to });
  return ranges.toReversed();
}

/** The whole subtrees that the first leaves of a log fall into, the largest first: what a later part of it goes on from. */
export function edgeRanges(size: number): readonly Range[] {
  if (!isSize(size)) throw new RangeError('no such size');
  const ranges: Range[] = [];
  for (let from = 0; from < size;) {
    const rest = size - from;
    const to = from + (isPowerOfTwo(rest) ? rest : split(rest));
    ranges.push({ from, to });
    from = to;
  }
  return ranges;
}

/** Whether the leaf is in the tree with this root (RFC 9162, section 2.1.3.2). */
export function verifyInclusion(
  leaf: { readonly index: number; readonly bytes: Uint8Array },
  head: { readonly size: number; readonly root: Uint8Array },
  path: readonly Uint8Array[],
): boolean {
  if (!isSize(leaf.index) || !isSize(head.size) || leaf.index >= head.size) return false;
  if (path.some((hash) => hash.byteLength !== hashBytes)) return false;
  let [index, last, root] = [leaf.index, head.size - 1, hashLeaf(leaf.bytes)];
  for (const hash of path) {
    if (last === 0) return false;
    if (isOdd(index) || index === last) {
      root = hashNode(hash, root);
      while (!isOdd(index) && index !== 0) [index, last] = [index / 2, Math.floor(last / 2)];
    } else {
      root = hashNode(root, hash);
    }
    [index, last] = [Math.floor(index / 2), Math.floor(last / 2)];
  }
  return last === 0 && same(root, head.root);
}

/** Whether the first tree is the beginning of the second (RFC 9162, section 2.1.4.2). */
export function verifyConsistency(
  first: { readonly size: number; readonly root: Uint8Array },
  second: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(first.size) || !isSize(second.size) || first.size > second.size) return false;
  if (proof.some((hash) => hash.byteLength !== hashBytes)) return false;
  if (first.size === second.size) return proof.length === 0 && same(first.root, second.root);
  // Of nothing everything is the continuation.
  if (first.size === 0) return proof.length === 0;
  // The root of a whole subtree is not told again: whoever asks has it.
  const path = isPowerOfTwo(first.size) ? [first.root, ...proof] : [...proof];
  const seed = path.shift();
  if (seed === undefined) return false;
  let [index, last] = [first.size - 1, second.size - 1];
  while (isOdd(index)) [index, last] = [Math.floor(index / 2), Math.floor(last / 2)];
  let [older, newer] = [seed, seed];
  for (const hash of path) {
    if (last === 0) return false;
    if (isOdd(index) || index === last) {
      older = hashNode(hash, older);
      newer = hashNode(hash, newer);
      while (!isOdd(index) && index !== 0) [index, last] = [index / 2, Math.floor(last / 2)];
    } else {
      newer = hashNode(newer, hash);
    }
    [index, last] = [Math.floor(index / 2), Math.floor(last / 2)];
  }
  return last === 0 && same(older, first.root) && same(newer, second.root);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function isOdd(n: number): boolean {
  return n % 2 === 1;
}

function isPowerOfTwo(n: number): boolean {
  return 2 ** Math.round(Math.log2(n)) === n;
}

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}
