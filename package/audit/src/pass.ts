import { readLines } from './line.ts';
import type { Segment } from './segment.ts';
import { subtreeLevel, type Subtree } from './subtree.ts';
import { hashBytes, hashLeaf, MerkleTree } from './tree.ts';

/** A place in the files of a log. */
export interface Position {
  /** Which file, counted from the oldest. */
  readonly segment: number;
  readonly offset: number;
}

/** What one pass over the lines makes of them. */
export interface Pass {
  readonly tree: MerkleTree;
  readonly subtrees: Subtree[];
  segment: number;
  /** Offset behind the last whole line, in that file. */
  end: number;
  /** The first line that does not say its own place, or holds what no line holds. */
  misplaced: number | undefined;
  /** Where that line begins. */
  wholeEnd: Position | undefined;
}

export function beginPass(tree = new MerkleTree(), at: Position = { segment: 0, offset: 0 }): Pass {
  return {
    tree,
    subtrees: [],
    segment: at.segment,
    end: at.offset,
    misplaced: undefined,
    wholeEnd: undefined,
  };
}

/** The start of every line: who cuts out or moves a line has to rewrite all that follow. */
export function headOf(sequence: number): string {
  return `{"sequence":${sequence},`;
}

/** Whether a line says that it is in this place, and has no part that was never written: blocks of nothing are zeros. */
export function isWhole(bytes: Uint8Array, sequence: number): boolean {
  const head = headOf(sequence);
  return Buffer.from(bytes.subarray(0, head.length)).toString('latin1') === head && bytes.indexOf(0) < 0;
}

/** Hashes of 32 bytes each that are read at once. */
const hashesAtOnce = 2_048;

/**
 * Goes on to the end of the newest file, which may grow while this reads, as may their number. `end` tells how far a
 * file may be read.
 */
export async function readOn(
  pass: Pass,
  segments: readonly Segment[],
  end: (segment: Segment) => number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const segment = segments[pass.segment];
    if (segment === undefined) return;
    using _reading = segment.use();
    if (segment.kind === 'lines') {
      if (pass.end === 0 && segment.start !== pass.tree.size) misplace(pass, 0);
      for await (const line of readLines(segment.fd, pass.end, () => end(segment))) {
        signal.throwIfAborted();
        if (!isWhole(line.bytes, pass.tree.size)) misplace(pass, line.end - line.bytes.byteLength - 1);
        append(pass, hashLeaf(line.bytes), line.end);
      }
      // What makes no whole line has its place at the end of the newest alone.
      if (pass.segment + 1 < segments.length && pass.end < end(segment)) misplace(pass, pass.end);
    } else {
      if (pass.end === 0 && segment.start !== pass.tree.size) misplace(pass, 0);
      for (let place = pass.end / hashBytes; place < segment.count;) {
        signal.throwIfAborted();
        const hashes = await segment.read(place, hashesAtOnce);
        if (hashes.byteLength === 0) break;
        for (let at = 0; at < hashes.byteLength; at += hashBytes) {
          place += 1;
          append(pass, hashes.subarray(at, at + hashBytes), place * hashBytes);
        }
      }
    }
    if (pass.segment + 1 >= segments.length) return;
    pass.segment += 1;
    pass.end = 0;
  }
}

function append(pass: Pass, leaf: Uint8Array, end: number): void {
  const root = pass.tree.append(Uint8Array.from(leaf))[subtreeLevel];
  pass.end = end;
  if (root !== undefined) pass.subtrees.push({ root, end });
}

function misplace(pass: Pass, offset: number): void {
  if (pass.misplaced !== undefined) return;
  pass.misplaced = pass.tree.size;
  pass.wholeEnd = { segment: pass.segment, offset };
}
