import { readSync } from 'node:fs';
import type { Disk } from './disk.ts';
import { unavailable } from './error.ts';
import type { MerkleLog, TreeHead } from './log.ts';

/** Brings what was written to the disk, in the background and on demand, and knows how far that got. */
export class Syncer implements Disposable {
  readonly #log: MerkleLog;
  readonly #disk: Disk;
  readonly #delayMs: number;
  #synced: TreeHead;
  #syncedBytes: number;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  #closed = false;

  private constructor(log: MerkleLog, disk: Disk, delayMs: number) {
    this.#log = log;
    this.#disk = disk;
    this.#delayMs = delayMs;
    this.#synced = log.head();
    this.#syncedBytes = log.bytes;
  }

  /** What is in the file may never have been synced by the process that wrote it. */
  static async open(log: MerkleLog, disk: Disk, delayMs: number): Promise<Syncer> {
    await disk.sync(log.fd).catch((error: unknown) => {
      throw unavailable('cannot be brought to the disk; repair its disk', error);
    });
    return new Syncer(log, disk, delayMs);
  }

  get synced(): TreeHead {
    return this.#synced;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** What was cut off is not to be synced any more. */
  async restart(): Promise<void> {
    await this.#disk.sync(this.#log.fd).catch((error: unknown) => {
      throw unavailable('cannot be brought to the disk; repair its disk', error);
    });
    this.#synced = this.#log.head();
    this.#syncedBytes = this.#log.bytes;
  }

  /** All lines are on the disk, and go on at the beginning of another file. */
  move(): void {
    this.#syncedBytes = 0;
  }

  /** Lines that may never reach the disk are not worth an answer. */
  assertHealthy(): void {
    if (this.#problem !== undefined) throw unavailable(this.#problem);
  }

  /** Syncs after the delay, unless that is planned already. */
  plan(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A failure is kept in `problem`, refuses further lines, and is tried again until it works.
      this.sync().catch(() => this.plan());
    }, this.#delayMs).unref();
  }

  async sync(): Promise<TreeHead> {
    const wanted = this.#log.size;
    while (this.#synced.size < wanted || this.#problem !== undefined) {
      this.#running ??= this.#syncOnce().finally(() => (this.#running = undefined));
      await this.#running;
    }
    return this.#synced;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #syncOnce(): Promise<void> {
    const head = this.#log.head();
    const bytes = this.#log.bytes;
    try {
      if (this.#problem !== undefined) this.#rewrite(bytes);
      await this.#disk.sync(this.#log.fd);
    } catch (error) {
      this.#problem = 'cannot be brought to the disk, so nothing is served; repair its disk';
      throw unavailable(this.#problem, error);
    }
    this.#problem = undefined;
    this.#synced = head;
    this.#syncedBytes = bytes;
  }

  /**
   * After a failed sync Linux takes the pages for clean and a second one succeeds without having written them, so
   * they are made dirty again.
   */
  #rewrite(end: number): void {
    const tail = Buffer.alloc(end - this.#syncedBytes);
    const length = readSync(this.#log.fd, tail, 0, tail.byteLength, this.#syncedBytes);
    this.#disk.write(this.#log.fd, tail.subarray(0, length), this.#syncedBytes);
  }
}
