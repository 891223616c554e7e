import { closeSync, constants, fstatSync, openSync, read, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openPrivate, syncDirectory } from './disk.ts';
import { maxLineBytes } from './line.ts';
import { hashBytes } from './tree.ts';

/*
 * The log lies in files, each named by the sequence of its first line. The newest takes what is appended. Of old ones,
 * when they are not to be kept, the hashes of the lines stay: with them everything behind still verifies.
 */

const readFile = promisify(read);
const digits = 20;
const fileName = /^([0-9]{20})\.(jsonl|hashes)$/u;

/** Bytes of a file that are read while they may be given up: the file is closed when the last reader is gone. */
abstract class File implements Disposable {
  readonly start: number;
  readonly path: string;
  readonly fd: number;
  #readers = 0;
  #doomed = false;

  constructor(start: number, path: string, fd: number) {
    this.start = start;
    this.path = path;
    this.fd = fd;
  }

  /** Keeps the file open until the answer is disposed. */
  use(): Disposable {
    this.#readers += 1;
    return {
      [Symbol.dispose]: () => {
        this.#readers -= 1;
        if (this.#doomed && this.#readers === 0) closeSync(this.fd);
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#doomed) return;
    this.#doomed = true;
    if (this.#readers === 0) closeSync(this.fd);
  }
}

/** Lines as they were written. */
export class LineSegment extends File {
  readonly kind = 'lines';
  /** Behind the last whole line; of the newest file, whoever writes it keeps this up to date. */
  bytes: number;

  private constructor(start: number, path: string) {
    super(start, path, openPrivate(path));
    this.bytes = fstatSync(this.fd).size;
  }

  static open(directory: string, start: number): LineSegment {
    return new LineSegment(start, join(directory, nameOf(start, 'jsonl')));
  }

  /** A new file, whose name is on the disk. Throws where there is one already. */
  static create(directory: string, start: number): LineSegment {
    const path = join(directory, nameOf(start, 'jsonl'));
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600));
    try {
      syncDirectory(directory);
      return new LineSegment(start, path);
    } catch (error) {
      // One that stays where another file goes on would look like a gap.
      unlinkSync(path);
      throw error;
    }
  }

  /** The last whole line; undefined where there is none. */
  async lastLine(): Promise<string | undefined> {
    using _reading = this.use();
    const bytes = Buffer.alloc(Math.min(this.bytes, maxLineBytes));
    await readFile(this.fd, bytes, 0, bytes.byteLength, this.bytes - bytes.byteLength);
    const text = bytes.subarray(0, Math.max(0, bytes.byteLength - 1)).toString('utf8');
    return text === '' ? undefined : text.slice(text.lastIndexOf('\n') + 1);
  }
}

/** The hashes of lines that are gone, 32 bytes each. */
export class HashSegment extends File {
  readonly kind = 'hashes';
  readonly count: number;

  private constructor(start: number, path: string, fd: number) {
    super(start, path, fd);
    this.count = Math.floor(fstatSync(fd).size / hashBytes);
  }

  static open(directory: string, start: number): HashSegment {
    const path = join(directory, nameOf(start, 'hashes'));
    return new HashSegment(start, path, openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW));
  }

  /** Hashes from this place on, so many or fewer. */
  async read(from: number, most: number): Promise<Uint8Array> {
    using _reading = this.use();
    const count = Math.max(0, Math.min(most, this.count - from));
    const bytes = Buffer.alloc(count * hashBytes);
    await readFile(this.fd, bytes, 0, bytes.byteLength, from * hashBytes);
    return bytes;
  }
}

export type Segment = LineSegment | HashSegment;

export function nameOf(start: number, kind: 'jsonl' | 'hashes' | 'tree' | 'torn'): string {
  return `${String(start).padStart(digits, '0')}.${kind}`;
}

/**
 * All files of a log in their order; where there is none, the first is made. Where both the lines and their hashes are
 * there, somebody stopped us between writing the one and taking the other away: the hashes are whole, or not named so.
 */
export function openSegments(directory: string): Segment[] {
  const found = new Map<number, Set<string>>();
  for (const name of readdirSync(directory)) {
    const [, start, kind = ''] = fileName.exec(name) ?? [];
    if (start === undefined) continue;
    const kinds = found.get(Number(start)) ?? new Set();
    found.set(Number(start), kinds.add(kind));
  }
  const starts = [...found.keys()].toSorted((a, b) => a - b);
  using stack = new DisposableStack();
  const segments: Segment[] = [];
  for (const [index, start] of starts.entries()) {
    const kinds = found.get(start);
    const next = starts[index + 1];
    if (kinds?.has('hashes') === true) {
      const sealed = HashSegment.open(directory, start);
      // What follows says how many there have to be.
      if (next !== undefined && start + sealed.count === next) {
        if (kinds.has('jsonl')) unlinkSync(join(directory, nameOf(start, 'jsonl')));
        segments.push(stack.use(sealed));
        continue;
      }
      sealed[Symbol.dispose]();
    }
    if (kinds?.has('jsonl') === true) segments.push(stack.use(LineSegment.open(directory, start)));
  }
  // The newest is always one of lines: lines are given up when there are newer ones.
  if (segments.at(-1)?.kind !== 'lines') {
    const last = segments.at(-1);
    const start = last?.kind === 'hashes' ? last.start + last.count : 0;
    segments.push(stack.use(LineSegment.open(directory, start)));
  }
  stack.move();
  return segments;
}
