import { closeSync, fstatSync, readSync } from 'node:fs';
import { openPrivate, type Disk } from './disk.ts';
import { hashBytes, MerkleTree } from './tree.ts';

/** A subtree of 2^12 records has its root and its end in the side file. */
export const subtreeLevel = 12;
export const subtreeSize = 2 ** subtreeLevel;

const entryBytes = hashBytes + 8;

export interface Subtree {
  readonly root: Uint8Array;
  /** Offset of what follows the subtree's last line, in the file that holds this line. */
  readonly end: number;
}

export interface Ends {
  readonly end: number;
  /** Of the subtree before. */
  readonly before: number;
}

/**
 * The roots of the log's whole subtrees, so that opening and asking for an old root read a few thousand lines and
 * not all. It is a hint: what follows from it is compared with what the state record or the anchor says.
 */
export class SubtreeFile implements Disposable {
  readonly #fd: number;
  readonly #disk: Disk;
  #entries: Subtree[] = [];
  #closed = false;

  private constructor(fd: number, disk: Disk) {
    this.#fd = fd;
    this.#disk = disk;
  }

  /** Entries that cannot be, by what `fits` says of the place in which they end, are dropped with all that follow. */
  static open(path: string, disk: Disk, fits: (count: number, ends: Ends) => boolean): SubtreeFile {
    const file = new SubtreeFile(openPrivate(path), disk);
    const bytes = Buffer.alloc(fstatSync(file.#fd).size);
    const length = readSync(file.#fd, bytes, 0, bytes.byteLength, 0);
    for (let at = 0; at + entryBytes <= length; at += entryBytes) {
      const end = Number(bytes.readBigUInt64BE(at + hashBytes));
      if (!fits(file.count + 1, { end, before: file.endOf(file.count) })) break;
      file.#entries.push({ root: Uint8Array.from(bytes.subarray(at, at + hashBytes)), end });
    }
    file.#cutFile(file.count);
    return file;
  }

  get count(): number {
    return this.#entries.length;
  }

  /** The root of the subtree in this place. */
  rootOf(index: number): Uint8Array | undefined {
    return this.#entries[index]?.root;
  }

  /** The offset behind the first `count` subtrees, in the file that holds the last line of them. */
  endOf(count: number): number {
    return count === 0 ? 0 : (this.#entries[count - 1]?.end ?? 0);
  }

  /** The tree over the first `count` subtrees. */
  treeOf(count: number): MerkleTree {
    const tree = new MerkleTree();
    for (const { root } of this.#entries.slice(0, count)) tree.appendSubtree(subtreeLevel, root);
    return tree;
  }

  /** Notes the next subtree. A failed write costs a longer opening and nothing else. */
  add(subtree: Subtree): void {
    this.#entries.push(subtree);
    const entry = Buffer.alloc(entryBytes);
    entry.set(subtree.root);
    entry.writeBigUInt64BE(BigInt(subtree.end), hashBytes);
    try {
      this.#disk.write(this.#fd, entry, (this.count - 1) * entryBytes);
    } catch {
      // The rest of the file would be taken for other subtrees than it holds.
      this.#cutFile(this.count - 1);
    }
  }

  /** Takes these for all that it held. */
  replace(subtrees: readonly Subtree[]): void {
    this.#entries = [];
    this.#cutFile(0);
    for (const subtree of subtrees) this.add(subtree);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  #cutFile(count: number): void {
    try {
      this.#disk.truncate(this.#fd, count * entryBytes);
    } catch {
      // A hint that is wrong is found by comparing with the expected root.
    }
  }
}
