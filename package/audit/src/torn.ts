import { closeSync, fstatSync, fsyncSync, readSync } from 'node:fs';
import { openPrivate, type Disk } from './disk.ts';
import { maxLineBytes } from './line.ts';

/** What was cut off the log is kept beside it: it is evidence, whoever made it. */
export class TornFile {
  readonly #path: string;
  readonly #disk: Disk;
  #bytes = 0;

  constructor(path: string, disk: Disk) {
    this.#path = path;
    this.#disk = disk;
  }

  /** How much was cut off in the life of this object. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps what a file has behind this offset, if that is anything, and then cuts it off. */
  cut(fd: number, from: number): void {
    if (this.keep(fd, from)) this.#disk.truncate(fd, from);
  }

  /** Keeps a copy of what a file has behind this offset, its beginning where it is very long. */
  keep(fd: number, from: number): boolean {
    const length = fstatSync(fd).size - from;
    if (length <= 0) return false;
    const tail = Buffer.alloc(Math.min(length, maxLineBytes));
    readSync(fd, tail, 0, tail.byteLength, from);
    const torn = openPrivate(this.#path);
    try {
      this.#disk.write(torn, Buffer.concat([tail, Buffer.from('\n')]), fstatSync(torn).size);
      fsyncSync(torn);
    } finally {
      closeSync(torn);
    }
    this.#bytes += length;
    return true;
  }
}
