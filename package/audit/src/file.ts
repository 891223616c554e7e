import { closeSync, fstatSync, fsyncSync, openSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensurePrivateDirectory } from '@spike/config';
import { openPrivate, realDisk, type Disk } from './disk.ts';
import { unavailable } from './error.ts';
import { maxLineBytes } from './line.ts';
import { headOf, MerkleLog, type TreeHead } from './log.ts';
import { Syncer } from './sync.ts';
import { UnreadyFile } from './unready.ts';

const segment = '0'.repeat(20);

export interface AuditOptions {
  /** Made with mode 0700 when it is not there; must be ours, private, no symbolic link, and outside of the store's. */
  readonly directory: string;
  /** How long a written line may wait for the disk, in milliseconds (500). */
  readonly syncMs?: number;
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
  /** Bytes of an incomplete last line that were cut off at opening; note them in a record. They are kept in the `.torn` file. */
  readonly cutBytes: number;
  readonly #log: MerkleLog;
  readonly #unready: UnreadyFile;
  readonly #syncer: Syncer;
  #queue: Waiting[] = [];
  #planned = false;
  #closed: Promise<void> | undefined;

  private constructor(log: MerkleLog, unready: UnreadyFile, syncer: Syncer, cutBytes: number) {
    this.#log = log;
    this.#unready = unready;
    this.#syncer = syncer;
    this.cutBytes = cutBytes;
  }

  /** Rebuilds the tree from the side file and the lines behind its last subtree; `compare` tells whether it is right. */
  static async open(options: AuditOptions): Promise<AuditFile> {
    const { disk = realDisk, syncMs = 500, signal } = options;
    const directory = resolve(options.directory);
    await ensurePrivateDirectory(directory);
    using stack = new DisposableStack();
    const log = stack.use(await MerkleLog.open(join(directory, `${segment}.jsonl`), disk, signal));
    const cutBytes = cutTail(log, join(directory, `${segment}.torn`), disk);
    const unready = stack.use(UnreadyFile.open(join(directory, 'unready.jsonl'), disk, syncMs));
    const syncer = await Syncer.open(log, disk, syncMs);
    syncDirectory(directory);
    stack.move();
    return new AuditFile(log, unready, syncer, cutBytes);
  }

  /** Number of lines. */
  get size(): number {
    return this.#log.size;
  }

  /** What is on the disk for certain: what a state record or an anchor may name. */
  get synced(): TreeHead {
    return this.#syncer.synced;
  }

  /** Why lines are refused at the moment, if they are. */
  get problem(): string | undefined {
    return this.#syncer.problem;
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
    this.#flush();
    return this.#syncer.sync();
  }

  /** The root when there were `size` lines, also while there are more; undefined when there are fewer. */
  async rootAt(size: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#log.rootAt(size, signal);
  }

  /**
   * Whether the file, at the size that a state record or an anchor names, has the root that it names. On a mismatch
   * all lines are hashed again first, since the side file is only a hint. Nothing is mended.
   */
  async compare(expected: TreeHead, signal: AbortSignal): Promise<Comparison> {
    if (expected.size > this.size) return 'shorter';
    if (this.#log.ordered && (await this.#matches(expected, signal))) return 'ok';
    await this.#log.rehash(true, signal);
    return this.#log.ordered && (await this.#matches(expected, signal)) ? 'ok' : 'different';
  }

  /**
   * Reads and hashes all lines again, a little at a time, and tells whether they say their own places and still give
   * the root that we have; for the background. What somebody else says of the root is for `compare`.
   */
  async verify(signal: AbortSignal): Promise<{ readonly ok: boolean; readonly misplaced?: number }> {
    return this.#log.rehash(false, signal);
  }

  /** The lines from this sequence to what is now the last, in order, with memory for one of them. */
  scan(
    from: number,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly sequence: number; readonly line: string }> {
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

  #flush(): void {
    this.#planned = false;
    const batch = this.#queue.splice(0);
    if (batch.length === 0) return;
    const first = this.#log.size;
    try {
      this.#syncer.assertHealthy();
      this.#log.write(batch.map(({ rest }, index) => Buffer.from(headOf(first + index) + rest)));
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
      return;
    }
    this.#syncer.plan();
    for (const [index, waiting] of batch.entries()) waiting.resolve({ sequence: first + index });
  }

  async #matches(expected: TreeHead, signal: AbortSignal): Promise<boolean> {
    const root = await this.#log.rootAt(expected.size, signal);
    return root !== undefined && Buffer.compare(root, expected.root) === 0;
  }
}

/** Keeps what is cut off: it is evidence, whoever made it. */
function cutTail(log: MerkleLog, path: string, disk: Disk): number {
  const length = fstatSync(log.fd).size - log.bytes;
  if (length <= 0) return 0;
  const tail = Buffer.alloc(Math.min(length, maxLineBytes));
  readSync(log.fd, tail, 0, tail.byteLength, log.bytes);
  const torn = openPrivate(path);
  try {
    disk.write(torn, Buffer.concat([tail, Buffer.from('\n')]), fstatSync(torn).size);
    fsyncSync(torn);
  } finally {
    closeSync(torn);
  }
  disk.truncate(log.fd, log.bytes);
  return length;
}

/** A record that held a newline would be two leaves. */
function assertRest(rest: string): void {
  if (!rest.startsWith('"') || !rest.endsWith('}') || rest.includes('\n')) {
    throw new TypeError('a record is one line of JSON without its opening brace');
  }
  if (rest.length > maxLineBytes / 4) throw new RangeError('a record is longer than any that is read back');
}

/** A file whose name is not on the disk is lost with its lines. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
