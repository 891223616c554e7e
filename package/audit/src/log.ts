import { closeSync, fstatSync } from 'node:fs';
import { openPrivate, type Disk } from './disk.ts';
import { unavailable } from './error.ts';
import { readLines } from './line.ts';
import { SubtreeFile, subtreeLevel, subtreeSize, type Subtree } from './subtree.ts';
import { hashLeaf, MerkleTree } from './tree.ts';

/** The log and its tree as far as they were when somebody looked. */
export interface TreeHead {
  /** Number of lines. */
  readonly size: number;
  /** RFC 6962 root over these lines, 32 bytes. */
  readonly root: Uint8Array;
}

/** What one pass over the lines makes of them. */
interface Pass {
  readonly tree: MerkleTree;
  readonly subtrees: Subtree[];
  /** Offset behind the last whole line. */
  end: number;
  /** The first line that does not say its own place. */
  misplaced: number | undefined;
}

/** The start of every line: who cuts out or moves a line has to rewrite all that follow. */
export function headOf(sequence: number): string {
  return `{"sequence":${sequence},`;
}

/** The log as bytes on a disk and as a Merkle tree. It is written in one place, at its end, and keeps both in step. */
export class MerkleLog implements Disposable {
  readonly #fd: number;
  readonly #disk: Disk;
  readonly #subtrees: SubtreeFile;
  #tree = new MerkleTree();
  #bytes = 0;
  #misplaced: number | undefined;
  /** A write failed half-way, and so did cutting off what it had written. */
  #ragged = false;
  #closed = false;

  private constructor(fd: number, subtrees: SubtreeFile, disk: Disk) {
    this.#fd = fd;
    this.#subtrees = subtrees;
    this.#disk = disk;
  }

  static async open(path: string, disk: Disk, signal: AbortSignal): Promise<MerkleLog> {
    using stack = new DisposableStack();
    const fd = stack.adopt(openPrivate(path), closeSync);
    const sidePath = path.replace(/\.jsonl$/u, '.tree');
    const subtrees = stack.use(SubtreeFile.open(sidePath, fstatSync(fd).size, disk));
    const log = new MerkleLog(fd, subtrees, disk);
    await log.#load(signal);
    stack.move();
    return log;
  }

  get fd(): number {
    return this.#fd;
  }

  get size(): number {
    return this.#tree.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  head(): TreeHead {
    return { size: this.#tree.size, root: this.#tree.root() };
  }

  /** Writes whole lines behind the last one, all or none. Throws `audit_unavailable`. */
  write(lines: readonly Buffer[]): void {
    const newline = Buffer.from('\n');
    const bytes = Buffer.concat(lines.flatMap((line) => [line, newline]));
    try {
      this.#assertOurs();
      this.#disk.write(this.#fd, bytes, this.#bytes);
    } catch (error) {
      this.#ragged = true;
      this.#trim();
      throw error instanceof Error && 'code' in error && error.code === 'audit_unavailable'
        ? error
        : unavailable('cannot be written, so nothing is served; free or repair its disk', error);
    }
    for (const line of lines) {
      this.#bytes += line.byteLength + 1;
      const root = this.#tree.append(hashLeaf(line))[subtreeLevel];
      if (root !== undefined) this.#subtrees.add({ root, end: this.#bytes });
    }
  }

  /** The root when there were this many lines: at most one subtree's lines are read. Undefined when there are fewer. */
  async rootAt(size: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (size > this.size) return undefined;
    if (size === this.size) return this.#tree.root();
    const count = Math.floor(size / subtreeSize);
    const tree = this.#subtrees.treeOf(count);
    if (tree.size < size) {
      for await (const { bytes } of readLines(this.#fd, this.#subtrees.endOf(count), () => this.#bytes)) {
        signal.throwIfAborted();
        tree.append(hashLeaf(bytes));
        if (tree.size === size) break;
      }
    }
    return tree.size === size ? tree.root() : undefined;
  }

  /** Lines from this one to what is now the last. */
  async *scan(from: number, signal: AbortSignal): AsyncGenerator<{ sequence: number; line: string }> {
    const until = this.#bytes;
    const count = Math.min(Math.floor(from / subtreeSize), this.#subtrees.count);
    let sequence = count * subtreeSize;
    for await (const { bytes } of readLines(this.#fd, this.#subtrees.endOf(count), () => until)) {
      signal.throwIfAborted();
      if (sequence >= from) yield { sequence, line: Buffer.from(bytes).toString('utf8') };
      sequence += 1;
    }
  }

  /**
   * Reads and hashes every line. `ok` when all lines say their own place and give the root that we have. With
   * `adopt`, what was read becomes what we have: a side file that misled is made anew.
   */
  async rehash(
    adopt: boolean,
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly misplaced?: number }> {
    const pass: Pass = { tree: new MerkleTree(), subtrees: [], end: 0, misplaced: undefined };
    // Lines may be appended while this reads; only at the same size do both roots mean the same.
    // Bytes that make no whole line any more are damage: a pass that gets nowhere is the last.
    let from: number;
    do {
      from = pass.end;
      await this.#read(pass, () => this.#bytes, signal);
    } while (from < pass.end && pass.end < this.#bytes && pass.tree.size < this.size);
    const same = pass.tree.size === this.size && Buffer.compare(pass.tree.root(), this.#tree.root()) === 0;
    if (adopt) {
      this.#tree = pass.tree;
      this.#misplaced = pass.misplaced;
      this.#subtrees.replace(pass.subtrees);
    }
    if (pass.misplaced !== undefined) return { ok: false, misplaced: pass.misplaced };
    return { ok: same };
  }

  /** True when every line that was read says its own place. */
  get ordered(): boolean {
    return this.#misplaced === undefined;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subtrees[Symbol.dispose]();
    closeSync(this.#fd);
  }

  async #load(signal: AbortSignal): Promise<void> {
    const fileBytes = fstatSync(this.#fd).size;
    const count = this.#subtrees.count;
    const tree = this.#subtrees.treeOf(count);
    const end = this.#subtrees.endOf(count);
    let pass: Pass = { tree, subtrees: [], end, misplaced: undefined };
    await this.#read(pass, () => fileBytes, signal);
    if (pass.misplaced !== undefined && count > 0) {
      // Either the side file or the log is wrong; only the whole log can tell.
      pass = { tree: new MerkleTree(), subtrees: [], end: 0, misplaced: undefined };
      await this.#read(pass, () => fileBytes, signal);
      this.#subtrees.replace(pass.subtrees);
    } else {
      for (const subtree of pass.subtrees) this.#subtrees.add(subtree);
    }
    this.#tree = pass.tree;
    this.#bytes = pass.end;
    this.#misplaced = pass.misplaced;
  }

  async #read(pass: Pass, to: () => number, signal: AbortSignal): Promise<void> {
    for await (const { bytes, end } of readLines(this.#fd, pass.end, to)) {
      signal.throwIfAborted();
      const head = headOf(pass.tree.size);
      if (Buffer.from(bytes.subarray(0, head.length)).toString('latin1') !== head)
        pass.misplaced ??= pass.tree.size;
      const root = pass.tree.append(hashLeaf(bytes))[subtreeLevel];
      pass.end = end;
      if (root !== undefined) pass.subtrees.push({ root, end });
    }
  }

  /** Another writer, or somebody who cut the file or took it away, is noticed before we write over or after it. */
  #assertOurs(): void {
    this.#trim();
    const { size, nlink } = fstatSync(this.#fd);
    if (nlink === 0) throw unavailable('file was removed while it was in use; put it back and start again');
    if (size !== this.#bytes) {
      throw unavailable(
        'file was changed by somebody else while it was in use; find out who, and start again',
      );
    }
  }

  /** Cuts off what a failed write left behind. */
  #trim(): void {
    if (!this.#ragged) return;
    try {
      if (fstatSync(this.#fd).size > this.#bytes) this.#disk.truncate(this.#fd, this.#bytes);
      this.#ragged = false;
    } catch {
      // The next append tries again before it writes.
    }
  }
}
