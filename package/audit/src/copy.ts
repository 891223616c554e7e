import { malformed } from './error.ts';
import { edgeRanges } from './proof.ts';
import { decodeBase64 } from './note.ts';
import { hashBytes, MerkleTree } from './tree.ts';

/*
 * A copy of a log: its lines as they are, each a leaf. One that does not begin at the first line has a line before them
 * that says where it begins, with the hashes of the subtrees that it leaves out.
 */

const headStart = '{"copy":';
const mostDigits = 16;

/** What is known of the lines that a copy leaves out. They are as trustworthy as the root that they lead to. */
export interface CopyHead {
  /** Sequence of the first line. */
  readonly first: number;
  readonly edge: readonly Uint8Array[];
}

export function formatCopyHead({ first, edge }: CopyHead): string {
  const hashes = edge.map((hash) => Buffer.from(hash).toString('base64'));
  return `${headStart}1,"first":${first},"edge":${JSON.stringify(hashes)}}`;
}

/** Whether this is the line before the lines. */
export function isCopyHead(line: string): boolean {
  return line.startsWith(headStart);
}

/** Throws SpikeError `data_invalid_input`. */
export function parseCopyHead(line: string): CopyHead {
  const found = /^\{"copy":1,"first":([0-9]+),"edge":\[([A-Za-z0-9+/=",]*)\]\}$/u.exec(line);
  const [, digits = '', list = ''] = found ?? [];
  const first = Number(digits);
  if (found === null || digits.length > mostDigits || !Number.isSafeInteger(first)) throw broken();
  const edge = list === '' ? [] : list.split(',').map(parseHash);
  if (edge.length !== edgeRanges(first).length) throw broken();
  return { first, edge };
}

/** The tree of the lines that a copy leaves out. */
export function treeBefore({ first, edge }: CopyHead): MerkleTree {
  const tree = new MerkleTree();
  for (const [index, { from, to }] of edgeRanges(first).entries()) {
    const hash = edge[index];
    if (hash === undefined) throw broken();
    tree.appendSubtree(Math.round(Math.log2(to - from)), hash);
  }
  return tree;
}

function parseHash(quoted: string): Uint8Array {
  const hash = /^"(.*)"$/u.exec(quoted)?.[1];
  const bytes = hash === undefined ? undefined : decodeBase64(hash);
  if (bytes?.byteLength !== hashBytes) throw broken();
  return bytes;
}

function broken(): Error {
  return malformed('copy of an audit begins with a line that says nothing of where it begins');
}
