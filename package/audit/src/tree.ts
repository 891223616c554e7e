import { hash } from 'node:crypto';

/** Bytes of a SHA-256 hash. */
export const hashBytes = 32;

interface Subtree {
  readonly level: number;
  readonly hash: Uint8Array;
}

/** RFC 6962, section 2.1: SHA-256 of 0x00 and the leaf's bytes. */
export function hashLeaf(leaf: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + leaf.byteLength);
  input[0] = 0x00;
  input.set(leaf, 1);
  return hash('sha256', input, 'buffer');
}

/** RFC 6962, section 2.1: SHA-256 of 0x01 and both children. */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + 2 * hashBytes);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + hashBytes);
  return hash('sha256', input, 'buffer');
}

/**
 * The Merkle tree of RFC 6962 as its right edge: the roots of the perfect subtrees that the leaves so far fall
 * into, at most one for each bit of the size. Enough to append and to know the root; it holds no leaf.
 */
export class MerkleTree {
  readonly #edge: Subtree[];
  #size: number;

  constructor() {
    this.#edge = [];
    this.#size = 0;
  }

  get size(): number {
    return this.#size;
  }

  /** Appends one leaf and answers the roots of the perfect subtrees that it completed, by level: the leaf itself first. */
  append(leafHash: Uint8Array): readonly Uint8Array[] {
    return this.appendSubtree(0, leafHash);
  }

  /**
   * Appends a perfect subtree of 2^level leaves by its root, as a checkpoint gives it. The size must be a multiple
   * of 2^level, else a RangeError: such a subtree would not be a node of the tree.
   */
  appendSubtree(level: number, root: Uint8Array): readonly Uint8Array[] {
    if (root.byteLength !== hashBytes) throw new RangeError('a hash has 32 bytes');
    const leaves = 2 ** level;
    if (this.#size % leaves !== 0) throw new RangeError('a subtree must start at a multiple of its size');
    let subtree: Subtree = { level, hash: root };
    const completed = [root];
    for (let last = this.#edge.at(-1); last?.level === subtree.level; last = this.#edge.at(-1)) {
      this.#edge.pop();
      subtree = { level: subtree.level + 1, hash: hashNode(last.hash, subtree.hash) };
      completed.push(subtree.hash);
    }
    this.#edge.push(subtree);
    this.#size += leaves;
    return completed;
  }

  /** The root over all leaves so far; of no leaves, the hash of nothing. */
  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const subtree of this.#edge.toReversed()) {
      root = root === undefined ? subtree.hash : hashNode(subtree.hash, root);
    }
    return root === undefined ? hash('sha256', new Uint8Array(), 'buffer') : new Uint8Array(root);
  }

  clone(): MerkleTree {
    const copy = new MerkleTree();
    copy.#edge.push(...this.#edge);
    copy.#size = this.#size;
    return copy;
  }
}
