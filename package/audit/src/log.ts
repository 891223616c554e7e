import { closeSync, fstatSync, fsyncSync } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { openPrivate, syncDirectory, type Disk } from './disk.ts';
import { unavailable } from './error.ts';
import { newline, readLines } from './line.ts';
import { beginPass, isWhole, readOn, type Pass, type Position } from './pass.ts';
import type { Range } from './proof.ts';
import { HashSegment, LineSegment, nameOf, openSegments, type Segment } from './segment.ts';
import { SubtreeFile, subtreeLevel, subtreeSize, type Ends } from './subtree.ts';
import { hashBytes, hashLeaf, MerkleTree } from './tree.ts';

/** The log and its tree as far as they were when somebody looked. */
export interface TreeHead {
  /** Number of lines. */
  readonly size: number;
  /** RFC 6962 root over these lines, 32 bytes. */
  readonly root: Uint8Array;
}

export interface NumberedLine {
  readonly sequence: number;
  readonly line: string;
}

/** One file of lines, as far as it is known without reading it. */
export interface SegmentFacts {
  readonly from: number;
  /** The first sequence behind it. */
  readonly to: number;
  readonly bytes: number;
  /** Its last line. */
  lastLine(): Promise<string | undefined>;
}

/** The log as bytes on a disk and as a Merkle tree. It is written in one place, at its end, and keeps both in step. */
export class MerkleLog implements Disposable {
  readonly #directory: string;
  readonly #disk: Disk;
  /** Oldest first. The last one is of lines, and the one that is written. */
  readonly #segments: Segment[];
  readonly #subtrees: SubtreeFile;
  #active: LineSegment;
  #tree = new MerkleTree();
  #misplaced: number | undefined;
  #wholeEnd: Position | undefined;
  /** A write failed half-way, and so did cutting off what it had written. */
  #ragged = false;
  #closed = false;

  private constructor(directory: string, segments: Segment[], active: LineSegment, disk: Disk) {
    this.#directory = directory;
    this.#segments = segments;
    this.#active = active;
    this.#disk = disk;
    const path = join(directory, nameOf(0, 'tree'));
    this.#subtrees = SubtreeFile.open(path, disk, (count, ends) => this.#fits(count, ends));
  }

  static async open(directory: string, disk: Disk, signal: AbortSignal): Promise<MerkleLog> {
    using stack = new DisposableStack();
    const segments = openSegments(directory);
    for (const segment of segments) stack.use(segment);
    const active = segments.at(-1);
    if (active?.kind !== 'lines') throw unavailable('has no file that could be written');
    const log = stack.use(new MerkleLog(directory, segments, active, disk));
    await log.#load(signal);
    stack.move();
    return log;
  }

  /** Of the file that is written. */
  get fd(): number {
    return this.#active.fd;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Of the file that is written, to its last whole line. */
  get bytes(): number {
    return this.#active.bytes;
  }

  /** Where the file that is written begins. */
  get newest(): number {
    return this.#active.start;
  }

  /** The first line that is still here; before it are hashes alone. */
  get first(): number {
    return this.#segments.find(({ kind }) => kind === 'lines')?.start ?? 0;
  }

  head(): TreeHead {
    return { size: this.#tree.size, root: this.#tree.root() };
  }

  /** Writes whole lines behind the last one, all or none. None holds a newline. Throws `audit_unavailable`. */
  write(lines: readonly string[]): void {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const before = this.#active.bytes;
    try {
      this.#assertOurs();
      this.#disk.write(this.fd, bytes, before);
    } catch (error) {
      this.#ragged = true;
      this.#trim();
      throw error instanceof Error && 'code' in error && error.code === 'audit_unavailable'
        ? error
        : unavailable('cannot be written, so nothing is served; free or repair its disk', error);
    }
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(newline, start);
      this.#active.bytes = before + end + 1;
      const root = this.#tree.append(hashLeaf(bytes.subarray(start, end)))[subtreeLevel];
      if (root !== undefined) this.#subtrees.add({ root, end: this.#active.bytes });
      start = end + 1;
    }
  }

  /** From the next line on another file is written. All that was written has to be on the disk. Throws `audit_unavailable`. */
  roll(): void {
    if (this.#active.bytes === 0 || this.#ragged) return;
    try {
      // What was kept free behind its end is for the next.
      this.#disk.truncate(this.fd, this.#active.bytes);
      const next = LineSegment.create(this.#directory, this.size);
      this.#segments.push(next);
      this.#active = next;
    } catch (error) {
      throw unavailable('cannot go on in another file; free or repair its disk', error);
    }
  }

  /** Files of lines that are no longer written, oldest first. */
  closedSegments(): readonly SegmentFacts[] {
    return this.#segments.flatMap((segment, index) => {
      const to = this.#segments[index + 1]?.start;
      if (segment.kind !== 'lines' || to === undefined) return [];
      return [{ from: segment.start, to, bytes: segment.bytes, lastLine: async () => segment.lastLine() }];
    });
  }

  /**
   * Gives up the lines of a file that is no longer written, and keeps their hashes. False, and everything stays as it
   * is, where they are not the lines that the tree was made of: then they are evidence.
   */
  async seal(from: number, signal: AbortSignal): Promise<boolean> {
    const index = this.#segments.findIndex(({ start, kind }) => start === from && kind === 'lines');
    const segment = this.#segments[index];
    const to = this.#segments[index + 1]?.start;
    if (segment?.kind !== 'lines' || to === undefined) throw new RangeError('no such file is closed');
    if (!(await this.#isGenuine(from, to, signal))) return false;
    const path = join(this.#directory, nameOf(from, 'hashes'));
    const draft = openPrivate(`${path}.new`);
    try {
      this.#disk.truncate(draft, 0);
      let at = 0;
      for await (const leaf of this.#leaves(from, to, signal)) {
        this.#disk.write(draft, leaf, at);
        at += hashBytes;
      }
      fsyncSync(draft);
    } finally {
      closeSync(draft);
    }
    await rename(`${path}.new`, path);
    syncDirectory(this.#directory);
    this.#segments[index] = HashSegment.open(this.#directory, from);
    segment[Symbol.dispose]();
    await unlink(segment.path);
    return true;
  }

  /** The root when there were this many lines: at most one subtree's lines are read. Undefined when there are fewer. */
  async rootAt(size: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (size > this.size) return undefined;
    if (size === this.size) return this.#tree.root();
    const count = Math.floor(size / subtreeSize);
    const tree = this.#subtrees.treeOf(count);
    for await (const leaf of this.#leaves(count * subtreeSize, size, signal)) tree.append(leaf);
    return tree.size === size ? tree.root() : undefined;
  }

  /**
   * The hash of each of these ranges, which are subtrees of the log: each begins at a multiple of the power of two that
   * its length does not exceed. Undefined where there are fewer lines. Memory is for one subtree's hashes.
   */
  async hashesOf(ranges: readonly Range[], signal: AbortSignal): Promise<Uint8Array[] | undefined> {
    const hashes: Uint8Array[] = [];
    let kept: { readonly count: number; readonly leaves: readonly Uint8Array[] } | undefined;
    for (const { from, to } of ranges) {
      if (to > this.size) return undefined;
      const tree = new MerkleTree();
      let at = from;
      while (at % subtreeSize === 0 && at + subtreeSize <= to) {
        const root = this.#subtrees.rootOf(at / subtreeSize);
        if (root === undefined) return undefined;
        tree.appendSubtree(subtreeLevel, root);
        at += subtreeSize;
      }
      if (at < to) {
        const count = Math.floor(at / subtreeSize);
        const end = Math.min(this.size, (count + 1) * subtreeSize);
        if (kept?.count !== count || kept.leaves.length < to - count * subtreeSize) {
          kept = { count, leaves: await Array.fromAsync(this.#leaves(count * subtreeSize, end, signal)) };
        }
        const first = count * subtreeSize;
        for (const leaf of kept.leaves.slice(at - first, to - first)) tree.append(leaf);
      }
      if (tree.size !== to - from) return undefined;
      hashes.push(tree.root());
    }
    return hashes;
  }

  /** Lines from this one to what is now the last. Those that are gone are left out. */
  async *scan(from: number, signal: AbortSignal): AsyncGenerator<NumberedLine> {
    const until = { segment: this.#segments.length - 1, offset: this.#active.bytes };
    const begin = this.#locate(Math.min(Math.floor(from / subtreeSize), this.#subtrees.count));
    let { sequence } = begin;
    for (let index = begin.segment; index <= until.segment; index++) {
      const segment = this.#segments[index];
      const offset = index === begin.segment ? begin.offset : 0;
      if (segment?.kind === 'hashes') sequence = segment.start + segment.count;
      if (segment?.kind !== 'lines') continue;
      using _reading = segment.use();
      if (offset === 0 && this.ordered) sequence = segment.start;
      const end = index === until.segment ? until.offset : segment.bytes;
      for await (const { bytes } of readLines(segment.fd, offset, () => end)) {
        signal.throwIfAborted();
        if (sequence >= from) yield { sequence, line: Buffer.from(bytes).toString('utf8') };
        sequence += 1;
      }
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
    const pass = beginPass();
    const end = (segment: Segment): number => (segment === this.#active ? this.bytes : endOf(segment));
    // Lines may be appended while this reads; only at the same size do both roots mean the same.
    // Bytes that make no whole line any more are damage: a pass that gets nowhere is the last.
    let from: Position;
    do {
      from = { segment: pass.segment, offset: pass.end };
      await readOn(pass, this.#segments, end, signal);
    } while (isFurther(pass, from) && pass.tree.size < this.size);
    const same = pass.tree.size === this.size && Buffer.compare(pass.tree.root(), this.#tree.root()) === 0;
    if (adopt) {
      this.#adopt(pass);
      this.#subtrees.replace(pass.subtrees);
    }
    if (pass.misplaced !== undefined) return { ok: false, misplaced: pass.misplaced };
    return { ok: same };
  }

  /** True when every line that was read says its own place. */
  get ordered(): boolean {
    return this.#misplaced === undefined;
  }

  /**
   * How many lines there are before the first that is damaged, and where it begins in the file that is written;
   * undefined when none is. What is damaged in an older file was on the disk once, and is for a person.
   */
  get damage(): { readonly lines: number; readonly bytes: number } | undefined {
    if (this.#misplaced === undefined || this.#wholeEnd === undefined) return undefined;
    if (this.#wholeEnd.segment !== this.#segments.length - 1) return undefined;
    return { lines: this.#misplaced, bytes: this.#wholeEnd.offset };
  }

  /** Cuts off the first damaged line and all that follow, and reads what is left. */
  async cutDamage(signal: AbortSignal): Promise<void> {
    const { damage } = this;
    if (damage === undefined) return;
    this.#disk.truncate(this.fd, damage.bytes);
    this.#active.bytes = damage.bytes;
    await this.rehash(true, signal);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subtrees[Symbol.dispose]();
    for (const segment of this.#segments) segment[Symbol.dispose]();
  }

  async #load(signal: AbortSignal): Promise<void> {
    const count = this.#subtrees.count;
    let pass = beginPass(this.#subtrees.treeOf(count), this.#locate(count));
    await readOn(pass, this.#segments, endOf, signal);
    if (pass.misplaced !== undefined && count > 0) {
      // Either the side file or the log is wrong; only the whole log can tell.
      pass = beginPass();
      await readOn(pass, this.#segments, endOf, signal);
      this.#subtrees.replace(pass.subtrees);
    } else {
      for (const subtree of pass.subtrees) this.#subtrees.add(subtree);
    }
    this.#adopt(pass);
    this.#active.bytes = pass.end;
  }

  #adopt(pass: Pass): void {
    this.#tree = pass.tree;
    this.#misplaced = pass.misplaced;
    this.#wholeEnd = pass.wholeEnd;
  }

  /** Where the line behind so many whole subtrees begins. */
  #locate(count: number): Position & { readonly sequence: number } {
    const sequence = count * subtreeSize;
    const segment = Math.max(
      0,
      this.#segments.findLastIndex(({ start }) => start <= sequence),
    );
    const found = this.#segments[segment];
    if (found === undefined || found.start >= sequence)
      return { segment, offset: 0, sequence: found?.start ?? 0 };
    if (found.kind === 'hashes') return { segment, offset: (sequence - found.start) * hashBytes, sequence };
    return { segment, offset: this.#subtrees.endOf(count), sequence };
  }

  /** Whether the subtree in this place can end there, as far as the names and sizes of the files tell. */
  #fits(count: number, { end, before }: Ends): boolean {
    const last = count * subtreeSize - 1;
    const segment = this.#segments.findLast(({ start }) => start <= last);
    if (segment === undefined) return false;
    if (segment.kind === 'hashes') return last < segment.start + segment.count;
    const isNewHere = last - subtreeSize < segment.start;
    return end > (isNewHere ? 0 : before) && end <= segment.bytes;
  }

  /** Hashes of lines, from their lines where these are still here. */
  async *#leaves(from: number, to: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const begin = this.#locate(Math.min(Math.floor(from / subtreeSize), this.#subtrees.count));
    let { sequence } = begin;
    for (let index = begin.segment; index < this.#segments.length && sequence < to; index++) {
      const segment = this.#segments[index];
      if (segment === undefined) return;
      using _reading = segment.use();
      const offset = index === begin.segment ? begin.offset : 0;
      if (segment.kind === 'hashes') {
        const last = Math.min(to, segment.start + segment.count);
        sequence = Math.max(sequence, Math.min(from, last));
        while (sequence < last) {
          signal.throwIfAborted();
          const hashes = await segment.read(sequence - segment.start, Math.min(subtreeSize, last - sequence));
          if (hashes.byteLength === 0) return;
          for (let at = 0; at < hashes.byteLength; at += hashBytes) {
            yield Uint8Array.from(hashes.subarray(at, at + hashBytes));
            sequence += 1;
          }
        }
        continue;
      }
      const end = segment === this.#active ? () => this.bytes : () => segment.bytes;
      for await (const { bytes } of readLines(segment.fd, offset, end)) {
        signal.throwIfAborted();
        if (sequence >= to) return;
        if (sequence >= from) yield hashLeaf(bytes);
        sequence += 1;
      }
    }
  }

  /** Whether these lines are those that the tree was made of: every subtree that they reach into is hashed again. */
  async #isGenuine(from: number, to: number, signal: AbortSignal): Promise<boolean> {
    for await (const { sequence, line } of this.scan(from, signal)) {
      if (sequence >= to) break;
      if (!isWhole(Buffer.from(line), sequence)) return false;
    }
    for (let count = Math.floor(from / subtreeSize); count * subtreeSize < to; count++) {
      // Of one that is not whole yet, the root of all tells. Lines may come meanwhile.
      const { size, root } = this.head();
      const whole = this.#subtrees.rootOf(count);
      const tree = whole === undefined ? this.#subtrees.treeOf(count) : new MerkleTree();
      const end = Math.min((count + 1) * subtreeSize, size);
      for await (const leaf of this.#leaves(count * subtreeSize, end, signal)) tree.append(leaf);
      if (Buffer.compare(tree.root(), whole ?? root) !== 0) return false;
    }
    return true;
  }

  /** Another writer, or somebody who cut the file or took it away, is noticed before we write over or after it. */
  #assertOurs(): void {
    this.#trim();
    const { size, nlink } = fstatSync(this.fd);
    if (nlink === 0) throw unavailable('file was removed while it was in use; put it back and start again');
    if (size !== this.bytes) {
      throw unavailable(
        'file was changed by somebody else while it was in use; find out who, and start again',
      );
    }
  }

  /** Cuts off what a failed write left behind. */
  #trim(): void {
    if (!this.#ragged) return;
    try {
      if (fstatSync(this.fd).size > this.bytes) this.#disk.truncate(this.fd, this.bytes);
      this.#ragged = false;
    } catch {
      // The next append tries again before it writes.
    }
  }
}

/** How much a file holds; of one that is written, this is for its opening alone. */
function endOf(segment: Segment): number {
  return segment.kind === 'lines' ? segment.bytes : segment.count * hashBytes;
}

function isFurther(pass: Pass, than: Position): boolean {
  return pass.segment > than.segment || (pass.segment === than.segment && pass.end > than.offset);
}
