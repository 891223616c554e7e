import { closeSync, fstatSync, readSync } from 'node:fs';
import { openPrivate, type Disk } from './disk.ts';
import { unavailable } from './error.ts';
import { maxLineBytes } from './line.ts';

/** Most lines; what comes after them is only counted. */
const maxEntries = 10_000;
const countDigits = 12;
const lineHead = '{"count":';
/** In characters: a longer line than the log takes, and how much is kept of what is no line of ours. */
const longestLine = maxLineBytes / 4;
const longestQuote = 1_000;

export interface UnreadyRecords {
  /** For each record its object's text without the opening brace. */
  readonly rests: readonly string[];
  readonly bytes: number;
}

interface Counter {
  readonly offset: number;
  count: number;
}

/**
 * Records of the time without a key. A refusal that repeats one of this process's life raises the count in the line
 * of the first, in place, so that neither a flood fills the disk nor a killed process loses one.
 */
export class UnreadyFile implements Disposable {
  readonly #fd: number;
  readonly #disk: Disk;
  readonly #delayMs: number;
  readonly #counters = new Map<string, Counter>();
  #bytes = 0;
  #entries = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(fd: number, disk: Disk, delayMs: number) {
    this.#fd = fd;
    this.#disk = disk;
    this.#delayMs = delayMs;
  }

  /** An incomplete last line is cut off: its request was not answered. */
  static open(path: string, disk: Disk, delayMs: number): UnreadyFile {
    const file = new UnreadyFile(openPrivate(path), disk, delayMs);
    try {
      const whole = file.#read();
      const found = fstatSync(file.#fd).size;
      file.#bytes = whole.byteLength;
      file.#entries = whole.toString('latin1').split('\n').length - 1;
      if (found > file.#bytes) disk.truncate(file.#fd, file.#bytes);
      return file;
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  get entries(): number {
    return this.#entries;
  }

  /** Written when this returns. Records with the same `mergeKey` become one line. Throws `audit_unavailable`. */
  append(rest: string, mergeKey: string | undefined): void {
    const counter = mergeKey === undefined ? undefined : this.#counters.get(mergeKey);
    if (counter !== undefined) this.#raise(counter);
    else if (this.#entries >= maxEntries) this.#overflow();
    else this.#add(rest, mergeKey);
    this.#plan();
  }

  /** What is there, oldest first, each with its count. What repeats one of them from now on gets a line of its own. */
  read(): UnreadyRecords {
    const whole = this.#read();
    this.#counters.clear();
    const lines = whole.toString('utf8').split('\n').slice(0, -1);
    return { rests: lines.map(toRest), bytes: whole.byteLength };
  }

  /** Forgets what `read` answered: it has entered the tree. */
  forget(records: UnreadyRecords): void {
    const remainder = Uint8Array.from(this.#read().subarray(records.bytes));
    this.#write(() => {
      this.#disk.truncate(this.#fd, 0);
      this.#disk.write(this.#fd, remainder, 0);
    });
    this.#bytes = remainder.byteLength;
    this.#entries -= records.rests.length;
    this.#counters.clear();
  }

  async sync(): Promise<void> {
    await this.#disk.sync(this.#fd);
  }

  #plan(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // These records promise less than the log: the next one tries again.
      this.sync().catch(() => undefined);
    }, this.#delayMs).unref();
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    closeSync(this.#fd);
  }

  #add(rest: string, mergeKey: string | undefined): void {
    const line = Buffer.from(`${lineHead}${formatCount(1)},${rest}\n`);
    this.#write(() => {
      try {
        this.#disk.write(this.#fd, line, this.#bytes);
      } catch (error) {
        this.#disk.truncate(this.#fd, this.#bytes);
        throw error;
      }
    });
    if (mergeKey !== undefined)
      this.#counters.set(mergeKey, { offset: this.#bytes + lineHead.length, count: 1 });
    this.#bytes += line.byteLength;
    this.#entries += 1;
  }

  /** Blanks before a number are JSON, so that a count can grow in place. */
  #raise(counter: Counter): void {
    this.#write(() =>
      this.#disk.write(this.#fd, Buffer.from(formatCount(counter.count + 1)), counter.offset),
    );
    counter.count += 1;
  }

  #overflow(): void {
    const key = '';
    const counter = this.#counters.get(key);
    if (counter === undefined) this.#add('"overflow":true}', key);
    else this.#raise(counter);
  }

  #read(): Buffer {
    const bytes = Buffer.alloc(fstatSync(this.#fd).size);
    readSync(this.#fd, bytes, 0, bytes.byteLength, 0);
    return bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
  }

  #write(write: () => void): void {
    if (this.#closed) throw unavailable('is closed');
    try {
      write();
    } catch (error) {
      throw unavailable('of the time without a key cannot be written; free or repair its disk', error);
    }
  }
}

/** A line that a bad disk or somebody else made must not keep the rest, and the unlocking, from going on: it is quoted. */
function toRest(line: string): string {
  if (line.startsWith(lineHead) && line.endsWith('}') && line.length <= longestLine) return line.slice(1);
  return `"damaged":${JSON.stringify(line.slice(0, longestQuote))}}`;
}

function formatCount(count: number): string {
  return String(count).padStart(countDigits);
}
