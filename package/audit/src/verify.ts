import { parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { isCopyHead, parseCopyHead, treeBefore, type CopyHead } from './copy.ts';
import { announcedKey, isSignedByBoth } from './handover.ts';
import type { VerifierKey } from './note.ts';
import { isWhole } from './pass.ts';
import { hashLeaf } from './tree.ts';

export type FindingKind =
  /** The text is no copy of a log. */
  | 'malformed'
  /** A line does not say its own place: lines were dropped, put in, moved or rewritten. */
  | 'order'
  /** The lines do not give the root that was signed: something in them was changed. */
  | 'root'
  /** There are fewer lines than were signed. */
  | 'short'
  /** Nobody signed these lines. */
  | 'uncovered'
  /** A checkpoint that nobody whom we trust has signed. */
  | 'forged'
  /** A checkpoint of another log. */
  | 'foreign';

export interface Finding {
  readonly kind: FindingKind;
  readonly message: string;
}

export interface Verified {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** The first line of the copy. */
  readonly first: number;
  /** The first sequence behind it. */
  readonly size: number;
  /** Up to here the lines are those that were signed. */
  readonly covered: number;
  /** Checkpoints that were signed, and that the lines lead to. */
  readonly matching: number;
  /** Those before the first line, with which nothing can be compared. */
  readonly skipped: number;
  /** Whom the log trusts at its end: another than the one given, when that handed over. */
  readonly key: VerifierKey;
}

export interface VerifyOptions {
  /** The bytes of the copy, in pieces of any size. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Of a copy whose beginning nobody wrote down: the sequence of its first line, and the edge before it. */
  readonly head?: CopyHead;
  /** Where the copy has to begin (0): lines that were left out before it would not be noticed. */
  readonly first?: number;
  /** Kept by somebody else than whoever made the copy; the more, the better. */
  readonly checkpoints: readonly string[];
  /**
   * Checkpoints with which one key handed over to the next, from wherever: they are followed where they fit, and those of
   * which the key at that time signed none are passed over.
   */
  readonly handovers?: readonly string[];
  /** From `init` or a file that was pinned, never from the copy. */
  readonly key: VerifierKey;
  /** More lines than were signed are no finding. */
  readonly allowUncovered?: boolean;
}

interface Announced {
  readonly sequence: number;
  readonly key: VerifierKey;
}

const mostLine = 4 * 1024 * 1024;
const newline = 0x0a;

/**
 * Compares a copy of a log with checkpoints of it. Finds every line that was changed, dropped, put in, moved or forged,
 * lines that were cut off, and a copy or checkpoint of another log. Needs no Nexus, and memory for one line.
 */
export async function verifyCopy(options: VerifyOptions): Promise<Verified> {
  const findings: Finding[] = [];
  const add = (kind: FindingKind, message: string): void => void findings.push({ kind, message });
  const given = readCheckpoints(options.checkpoints, options.key, add);
  const handovers = readCheckpoints(options.handovers ?? [], options.key, () => undefined);
  // Of one size, first the one in which a key hands over to the next.
  const checkpoints = [...handovers.map(asHint), ...given.map(asGiven)].toSorted(
    (a, b) => a.size - b.size || b.signed.signatures.length - a.signed.signatures.length,
  );
  const wanted = new Set(checkpoints.map(({ size }) => size));
  const roots = new Map<number, Uint8Array>();
  const announced: Announced[] = [];
  let head: CopyHead = options.head ?? { first: 0, edge: [] };
  let tree = treeBefore(head);
  let isFirst = true;
  let ordered = true;
  const keep = (): void => {
    if (wanted.has(tree.size)) roots.set(tree.size, tree.root());
  };
  for await (const { bytes, isWholeLine } of splitLines(options.bytes)) {
    if (isFirst) {
      isFirst = false;
      const text = Buffer.from(bytes).toString('utf8');
      if (isCopyHead(text)) {
        head = parseCopyHead(text);
        tree = treeBefore(head);
        keep();
        continue;
      }
      keep();
    }
    if (!isWholeLine) {
      add('malformed', `the copy ends within line ${tree.size}`);
      break;
    }
    if (ordered && !isWhole(bytes, tree.size)) {
      ordered = false;
      add(
        'order',
        `line ${tree.size} is not the one that belongs there: lines were dropped, put in or moved`,
      );
    }
    const sequence = tree.size;
    tree.append(hashLeaf(bytes));
    keep();
    const key = announcedKey(Buffer.from(bytes).toString('utf8'), options.key.name);
    if (key !== undefined) announced.push({ sequence, key });
  }
  if (isFirst) keep();
  const { first = 0 } = options;
  if (head.first !== first) add('short', `the copy begins with line ${head.first}, and not with ${first}`);
  const judged = judge(
    checkpoints,
    { roots, announced, first: head.first, size: tree.size, key: options.key },
    add,
  );
  if (judged.covered < tree.size && options.allowUncovered !== true) {
    const from = Math.max(judged.covered, head.first);
    add(
      'uncovered',
      judged.matching === 0
        ? 'no checkpoint that was signed leads to these lines: bring one'
        : `nobody signed the lines from ${from} on: bring a checkpoint that covers them`,
    );
  } else if (judged.matching === 0 && findings.length === 0) {
    add('uncovered', 'there is no checkpoint to compare the copy with: bring one');
  }
  return { ok: findings.length === 0, findings, first: head.first, size: tree.size, ...judged };
}

/** A checkpoint; one that is a hint is no finding when the key did not sign it. */
interface Told extends SignedCheckpoint {
  readonly isHint: boolean;
}

const asHint = (checkpoint: SignedCheckpoint): Told => ({ ...checkpoint, isHint: true });
const asGiven = (checkpoint: SignedCheckpoint): Told => ({ ...checkpoint, isHint: false });

function readCheckpoints(
  checkpoints: readonly string[],
  key: VerifierKey,
  add: (kind: FindingKind, message: string) => void,
): readonly SignedCheckpoint[] {
  const found: SignedCheckpoint[] = [];
  for (const note of checkpoints) {
    try {
      const checkpoint = parseCheckpoint(note);
      if (checkpoint.origin === key.name) found.push(checkpoint);
      else add('foreign', `a checkpoint is of the log ${checkpoint.origin}, and the key of ${key.name}`);
    } catch {
      add('forged', 'a text that was given as a checkpoint is none');
    }
  }
  return found;
}

function judge(
  checkpoints: readonly Told[],
  copy: {
    readonly roots: ReadonlyMap<number, Uint8Array>;
    readonly announced: readonly Announced[];
    readonly first: number;
    readonly size: number;
    readonly key: VerifierKey;
  },
  add: (kind: FindingKind, message: string) => void,
): Pick<Verified, 'covered' | 'matching' | 'skipped' | 'key'> {
  let { key } = copy;
  let [covered, matching, skipped] = [0, 0, 0];
  for (const checkpoint of checkpoints) {
    const { size, root, signed, isHint } = checkpoint;
    // It may lie beside a copy that ends before it.
    if (isHint && (!key.verifies(signed) || size > copy.size)) continue;
    const found = copy.roots.get(size);
    const leads = found !== undefined && Buffer.compare(found, root) === 0;
    if (!key.verifies(signed)) {
      add('forged', `the checkpoint of ${size} lines is not signed by the key of the log at that time`);
    } else if (size > copy.size) {
      add(
        'short',
        `there were ${size} lines when a checkpoint was signed, the copy ends behind ${copy.size}`,
      );
    } else if (size < copy.first) {
      skipped += 1;
    } else if (leads) {
      [covered, matching] = [size, matching + 1];
      const next = copy.announced.find(
        (one) => one.sequence < size && !one.key.equals(key) && isSignedByBoth(checkpoint, key, one.key),
      );
      if (next !== undefined) ({ key } = next);
    } else {
      add(
        'root',
        `the lines from ${Math.max(covered, copy.first)} to ${size - 1} are not those that were signed`,
      );
    }
  }
  return { covered, matching, skipped, key };
}

async function* splitLines(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly isWholeLine: boolean }> {
  let rest = Buffer.alloc(0);
  for await (const piece of pieces) {
    const chunk = Buffer.from(piece);
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const part = chunk.subarray(start, end);
      const bytes = rest.byteLength === 0 ? part : Buffer.concat([rest, part]);
      rest = Buffer.alloc(0);
      start = end + 1;
      yield { bytes, isWholeLine: true };
    }
    if (start < chunk.byteLength) rest = Buffer.concat([rest, chunk.subarray(start)]);
    if (rest.byteLength > mostLine) break;
  }
  if (rest.byteLength > 0) yield { bytes: rest, isWholeLine: false };
}
