import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** Of which files a rule of the shim speaks; the numbers are those of shim.c. */
export const fileClass = { store: 1, wal: 2, log: 4, audit: 8, anchor: 16, other: 32 } as const;
export const call = {
  open: 1,
  read: 2,
  write: 4,
  sync: 8,
  truncate: 16,
  rename: 32,
  unlink: 64,
  reserve: 128,
} as const;
export const action = { failOnce: 1, failFrom: 2, killBefore: 3, killAfter: 4, shortWrite: 5 } as const;

export const everyClass = 63;
export const everyCall = 255;
/** Numbers of errno.h that a disk answers with. */
export const errno = { EIO: 5, ENOSPC: 28 } as const;

export interface Trap {
  /** Sum of file classes. */
  readonly classes: number;
  /** Sum of calls. */
  readonly calls: number;
  /** The how manyeth of these calls from now on, from 1. */
  readonly at: number;
  readonly action: (typeof action)[keyof typeof action];
  readonly error?: number;
}

const wordBytes = 8;
const controlBytes = 4096;
const word = {
  clockMs: 0,
  full: 1,
  classes: 2,
  calls: 3,
  at: 4,
  action: 5,
  error: 6,
  count: 7,
  fired: 8,
  recording: 9,
  recorded: 10,
};

/** What the shim in other processes is told while they run, and what it tells: one page that they share with us. */
export class Control implements Disposable {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'wx+', 0o600);
    writeSync(this.#fd, new Uint8Array(controlBytes), 0, controlBytes, 0);
  }

  /** By how many milliseconds the clock of the wall is put on, or back. */
  set clockMs(ms: number) {
    this.#set(word.clockMs, ms);
  }

  /** Classes of files that find no more room. */
  set full(classes: number) {
    this.#set(word.full, classes);
  }

  set recording(on: boolean) {
    this.#set(word.recording, on ? 1 : 0);
  }

  /** Bytes of the journal: a moment in the life of the files. */
  get recorded(): number {
    return this.#get(word.recorded);
  }

  /** Calls that the trap was about since it was set. */
  get count(): number {
    return this.#get(word.count);
  }

  /** How often the trap was sprung since it was set. */
  get fired(): number {
    return this.#get(word.fired);
  }

  set(trap: Trap): void {
    this.clear();
    this.#set(word.count, 0);
    this.#set(word.fired, 0);
    this.#set(word.classes, trap.classes);
    this.#set(word.calls, trap.calls);
    this.#set(word.action, trap.action);
    this.#set(word.error, trap.error ?? errno.EIO);
    // Last: from here on it is armed.
    this.#set(word.at, trap.at);
  }

  clear(): void {
    this.#set(word.at, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #set(index: number, value: number): void {
    const bytes = Buffer.alloc(wordBytes);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, wordBytes, index * wordBytes);
  }

  #get(index: number): number {
    const bytes = Buffer.alloc(wordBytes);
    readSync(this.#fd, bytes, 0, wordBytes, index * wordBytes);
    return Number(bytes.readBigInt64LE());
  }
}
