import { unavailable } from './error.ts';

/**
 * Has the file system keep so many bytes from this offset on for this file, without making it longer. False when there
 * is no room; throws where that is not to be had at all.
 */
export type Allocate = (fd: number, from: number, bytes: number) => boolean;

export interface ReserveOptions {
  /** How much is kept free behind the last line. At half of it changes are refused. */
  readonly bytes: number;
  readonly allocate: Allocate;
}

const low =
  'has no room left on its disk but its reserve, which is for reads: free space, changes wait for it';

/**
 * Room for lines that come when the disk is full. Whoever changes something is refused as long as it cannot be had
 * whole, before anything is done; whoever reads is served from what is left of it.
 */
export class Reserve {
  #fd: number;
  readonly #options: ReserveOptions | undefined;
  /** Up to this offset the file has its blocks. */
  #end = 0;
  #isLow = false;
  #isLacking = false;

  constructor(fd: number, options: ReserveOptions | undefined) {
    this.#fd = fd;
    this.#options = options;
    this.#isLacking = options === undefined || options.bytes === 0;
  }

  get problem(): string | undefined {
    return this.#isLow ? low : undefined;
  }

  /** The lines go on in another file. */
  move(fd: number): void {
    this.#fd = fd;
    this.#end = 0;
    this.extend(0);
  }

  /** The lines end here now. */
  extend(at: number): void {
    const options = this.#options;
    if (this.#isLacking || options === undefined || this.#end - at >= options.bytes / 2) return;
    try {
      this.#isLow = !options.allocate(this.#fd, at, options.bytes);
    } catch {
      // A file system without this has no reserve: changes are refused when a line was.
      this.#isLacking = true;
      this.#isLow = false;
    }
    if (!this.#isLow) this.#end = at + options.bytes;
  }

  assertRoom(at: number): void {
    this.extend(at);
    if (this.#isLow) throw unavailable(low);
  }
}
