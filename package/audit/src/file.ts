import { join, resolve } from 'node:path';
import { ensurePrivateDirectory } from '@spike/config';
import { realDisk, syncDirectory, type Disk } from './disk.ts';
import { unavailable } from './error.ts';
import { maxLineBytes } from './line.ts';
import { MerkleLog, type NumberedLine, type SegmentFacts, type TreeHead } from './log.ts';
import { headOf } from './pass.ts';
import { consistencyRanges, edgeRanges, inclusionRanges } from './proof.ts';
import { Reserve, type ReserveOptions } from './reserve.ts';
import { nameOf } from './segment.ts';
import { Syncer } from './sync.ts';
import { TornFile } from './torn.ts';
import { UnreadyFile } from './unready.ts';

/** From so many bytes on a file of lines is closed, and the next line begins another. */
const usualSegmentBytes = 64 * 1024 * 1024;

export interface AuditOptions {
  /** Made with mode 0700 when it is not there; must be ours, private, no symbolic link, and outside of the store's. */
  readonly directory: string;
  /** From this size on the log goes on in another file, in bytes (64 MiB). */
  readonly segmentBytes?: number;
  /** How long a written line may wait for the disk, in milliseconds (500). */
  readonly syncMs?: number;
  /** None unless told: then a change may be made whose line finds no room. */
  readonly reserve?: ReserveOptions;
  /** For tests: a disk that fails. */
  readonly disk?: Disk;
  readonly signal: AbortSignal;
}

/** `shorter`: lines that were synced are missing. `different`: a line was changed, put in, taken out or moved. */
export type Comparison = 'ok' | 'shorter' | 'different';

interface Waiting {
  readonly rest: string;
  readonly resolve: (appended: { readonly sequence: number }) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The audit of one Nexus: an append-only file of JSON lines that is the leaves of a Merkle tree (RFC 6962). A leaf is
 * the exact bytes of a line without its newline. Every method that writes throws `audit_unavailable` when the disk
 * does not take it, and works again as soon as the disk does.
 */
export class AuditFile implements AsyncDisposable {
  readonly #log: MerkleLog;
  readonly #unready: UnreadyFile;
  readonly #syncer: Syncer;
  #queue: Waiting[] = [];
  #planned = false;
  #closed: Promise<void> | undefined;
  readonly #torn: TornFile;
  /** Of the bytes that were cut off, how many a record tells of. */
  #noted = 0;
  readonly #reserve: Reserve;
  readonly #segmentBytes: number;
  /** The last write failed. */
  #refused = false;
  /** Lines wait for it. */
  #rolling: Promise<void> | undefined;

  private constructor(
    log: MerkleLog,
    unready: UnreadyFile,
    syncer: Syncer,
    torn: TornFile,
    reserve: Reserve,
    segmentBytes: number,
  ) {
    this.#log = log;
    this.#unready = unready;
    this.#syncer = syncer;
    this.#torn = torn;
    this.#reserve = reserve;
    this.#segmentBytes = segmentBytes;
  }

  /** Rebuilds the tree from the side file and the lines behind its last subtree; `compare` tells whether it is right. */
  static async open(options: AuditOptions): Promise<AuditFile> {
    const { disk = realDisk, syncMs = 500, signal } = options;
    const directory = resolve(options.directory);
    await ensurePrivateDirectory(directory);
    using stack = new DisposableStack();
    const log = stack.use(await MerkleLog.open(directory, disk, signal));
    const torn = new TornFile(join(directory, nameOf(0, 'torn')), disk);
    torn.cut(log.fd, log.bytes);
    const unready = stack.use(UnreadyFile.open(join(directory, 'unready.jsonl'), disk, syncMs));
    const syncer = await Syncer.open(log, disk, syncMs);
    syncDirectory(directory);
    const reserve = new Reserve(log.fd, options.reserve);
    reserve.extend(log.bytes);
    stack.move();
    return new AuditFile(log, unready, syncer, torn, reserve, options.segmentBytes ?? usualSegmentBytes);
  }

  /**
   * Bytes that were cut off because they make no whole lines, and that no record tells of yet: of an incomplete last line
   * at the opening, and of `cutDamage`. They are kept in the `.torn` file.
   */
  get cutBytes(): number {
    return this.#torn.bytes - this.#noted;
  }

  /** Tells of them in one record that `cut` makes, once. */
  async noteCut(cut: (bytes: number) => string): Promise<void> {
    const { cutBytes } = this;
    if (cutBytes === 0) return;
    await this.append(cut(cutBytes));
    this.#noted += cutBytes;
  }

  /** Number of lines. */
  get size(): number {
    return this.#log.size;
  }

  /** What is on the disk for certain: what a state record or an anchor may name. */
  get synced(): TreeHead {
    return this.#syncer.synced;
  }

  /** Why lines, or only those of changes, are refused at the moment, if they are. */
  get problem(): string | undefined {
    return this.#syncer.problem ?? this.#reserve.problem;
  }

  /**
   * Whether the lines of changes will find room: to be asked before something is changed, since a line that is refused
   * afterwards can't undo it. Throws `audit_unavailable`.
   */
  assertRoom(): void {
    this.#syncer.assertHealthy();
    this.#reserve.assertRoom(this.#log.bytes);
    if (this.#refused) throw unavailable('did not take the last line; free or repair its disk');
  }

  root(): Uint8Array {
    return this.#log.head().root;
  }

  /**
   * Appends one record. `rest` is the text of its JSON object behind the opening brace; the sequence is put before
   * it. All that is appended in one turn of the event loop is one write. Resolves when the line is written (a killed
   * process loses none); it is synced within `syncMs`, or by `sync()`.
   */
  async append(rest: string): Promise<{ readonly sequence: number }> {
    assertRest(rest);
    if (this.#closed !== undefined) throw unavailable('is closed');
    const { promise, resolve: settle, reject } = Promise.withResolvers<{ readonly sequence: number }>();
    this.#queue.push({ rest, resolve: settle, reject });
    if (!this.#planned) {
      this.#planned = true;
      setImmediate(() => this.#flush());
    }
    return promise;
  }

  /** Everything appended before this call is on the disk when it resolves. */
  async sync(): Promise<TreeHead> {
    await this.#rolling?.catch(() => undefined);
    this.#flush();
    return this.#syncer.sync();
  }

  /** The log goes on in another file; lines that come meanwhile wait. Nothing happens while the newest is empty. */
  async roll(): Promise<void> {
    this.#rolling ??= this.#roll().finally(() => {
      this.#rolling = undefined;
      this.#flush();
    });
    await this.#rolling;
  }

  /** Of all lines that are still here. */
  get bytes(): number {
    return this.#log.closedSegments().reduce((sum, { bytes }) => sum + bytes, this.#log.bytes);
  }

  /** Sequence of the first line of the file that is written. */
  get newest(): number {
    return this.#log.newest;
  }

  /** Of the file that is written. */
  get newestBytes(): number {
    return this.#log.bytes;
  }

  /** The first line that is still here; of those before it the hashes are kept. */
  get first(): number {
    return this.#log.first;
  }

  /** Files of lines that are no longer written, oldest first. */
  closedSegments(): readonly SegmentFacts[] {
    return this.#log.closedSegments();
  }

  /**
   * Gives up the lines of one of `closedSegments`, the oldest that is left; with their hashes, which stay, everything
   * else still verifies. False, and the lines stay, where they are not those that were written.
   */
  async seal(from: number, signal: AbortSignal): Promise<boolean> {
    return this.#log.seal(from, signal);
  }

  /** This line; undefined where it is gone or still to come. */
  async line(sequence: number, signal: AbortSignal): Promise<string | undefined> {
    for await (const found of this.#log.scan(sequence, signal)) {
      return found.sequence === sequence ? found.line : undefined;
    }
    return undefined;
  }

  /** Proves that a line is in the log of this size. Undefined where there is no such line. */
  async proveInclusion(
    sequence: number,
    size: number,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[] | undefined> {
    if (sequence >= size || size > this.size) return undefined;
    return this.#log.hashesOf(inclusionRanges(sequence, size), signal);
  }

  /** Proves that the log of the first size is the beginning of that of the second. Undefined where there are fewer lines. */
  async proveConsistency(
    first: number,
    second: number,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[] | undefined> {
    if (first > second || second > this.size) return undefined;
    return this.#log.hashesOf(consistencyRanges(first, second), signal);
  }

  /** The hashes of the whole subtrees before this line: a copy of the log from here on verifies with them. */
  async edge(sequence: number, signal: AbortSignal): Promise<readonly Uint8Array[] | undefined> {
    if (sequence > this.size) return undefined;
    return this.#log.hashesOf(edgeRanges(sequence), signal);
  }

  /** The root when there were `size` lines, also while there are more; undefined when there are fewer. */
  async rootAt(size: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#log.rootAt(size, signal);
  }

  /**
   * Whether the file, at the size that a state record or an anchor names, has the root that it names. On a mismatch
   * all lines are hashed again first, since the side file is only a hint, and what was read becomes what we have: it is
   * for the opening, where nobody knows better. Nothing is mended.
   */
  async compare(expected: TreeHead, signal: AbortSignal): Promise<Comparison> {
    if (expected.size > this.size) return 'shorter';
    if (this.#log.ordered && (await this.#matches(expected, signal))) return 'ok';
    await this.#log.rehash(true, signal);
    return this.#log.ordered && (await this.#matches(expected, signal)) ? 'ok' : 'different';
  }

  /**
   * Whether the lines lead to this head; of a log that is in use, so nothing that is read becomes what we have: else
   * whoever changes lines would have us sign them, once somebody had looked.
   */
  async leadsTo(expected: TreeHead, signal: AbortSignal): Promise<boolean> {
    return await this.#matches(expected, signal);
  }

  /**
   * After a power cut blocks of lines that were not synced may be missing, which leaves zeros, with lines behind them.
   * Where the first `certain` lines, which were synced, are whole, what is damaged behind them is cut off with all that
   * follows; else nothing is mended, and `compare` tells of it.
   */
  async cutDamage(certain: number, signal: AbortSignal): Promise<void> {
    const { damage } = this.#log;
    if (damage === undefined || damage.lines < certain) return;
    this.#torn.keep(this.#log.fd, damage.bytes);
    await this.#log.cutDamage(signal);
    await this.#syncer.restart();
  }

  /**
   * Reads and hashes all lines again, a little at a time, and tells whether they say their own places and still give
   * the root that we have; for the background. What somebody else says of the root is for `compare`.
   */
  async verify(signal: AbortSignal): Promise<{ readonly ok: boolean; readonly misplaced?: number }> {
    return this.#log.rehash(false, signal);
  }

  /** The lines from this sequence to what is now the last, in order, with memory for one of them. */
  scan(from: number, signal: AbortSignal): AsyncIterable<NumberedLine> {
    return this.#log.scan(from, signal);
  }

  /**
   * Records a request of the time without a key, in a file of its own that is not tamper-evident. Written when this
   * returns. Records with the same `mergeKey` become one line, whose `count` says how many; `rest` has no such field.
   */
  appendUnready(rest: string, mergeKey?: string): void {
    assertRest(rest);
    this.#unready.append(rest, mergeKey);
  }

  /**
   * Brings the records of the time without a key into the tree, behind one `resumed` record that `resumed` makes of
   * their number, in one write that is synced before they are forgotten: a crash may enter them twice, never lose
   * them. Answers undefined when there are none.
   */
  async drainUnready(
    resumed: (entries: number) => string,
  ): Promise<{ readonly sequence: number; readonly entries: number } | undefined> {
    const records = this.#unready.read();
    const entries = records.rests.length;
    if (entries === 0) return undefined;
    const [first] = await Promise.all([
      this.append(resumed(entries)),
      ...records.rests.map(async (rest) => this.append(rest)),
    ]);
    await this.sync();
    this.#unready.forget(records);
    return { sequence: first.sequence, entries };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.sync();
      await this.#unready.sync();
    } finally {
      this.#syncer[Symbol.dispose]();
      this.#unready[Symbol.dispose]();
      this.#log[Symbol.dispose]();
    }
  }

  async #roll(): Promise<void> {
    await this.#syncer.sync();
    if (this.#syncer.synced.size !== this.size || this.#log.bytes === 0) return;
    this.#log.roll();
    this.#syncer.move();
    this.#reserve.move(this.#log.fd);
  }

  #flush(): void {
    this.#planned = false;
    if (this.#rolling !== undefined) return;
    const batch = this.#queue.splice(0);
    if (batch.length === 0) return;
    const first = this.#log.size;
    try {
      this.#syncer.assertHealthy();
      this.#log.write(batch.map(({ rest }, index) => headOf(first + index) + rest));
    } catch (error) {
      this.#refused = true;
      for (const waiting of batch) waiting.reject(error);
      return;
    }
    this.#refused = false;
    this.#reserve.extend(this.#log.bytes);
    this.#syncer.plan();
    for (const [index, waiting] of batch.entries()) waiting.resolve({ sequence: first + index });
    // A failure leaves the lines where they were, and is tried again behind the next.
    if (this.#log.bytes >= this.#segmentBytes) this.roll().catch(() => undefined);
  }

  async #matches(expected: TreeHead, signal: AbortSignal): Promise<boolean> {
    const root = await this.#log.rootAt(expected.size, signal);
    return root !== undefined && Buffer.compare(root, expected.root) === 0;
  }
}

/** A record that held a newline would be two leaves. */
function assertRest(rest: string): void {
  if (!rest.startsWith('"') || !rest.endsWith('}') || rest.includes('\n')) {
    throw new TypeError('a record is one line of JSON without its opening brace');
  }
  if (rest.length > maxLineBytes / 4) throw new RangeError('a record is longer than any that is read back');
}
