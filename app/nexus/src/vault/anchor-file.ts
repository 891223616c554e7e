import { constants } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { SpikeError } from '@spike/error';

import { longestAnchor, parseAnchor, type Anchor } from './anchor.ts';

export interface AnchorFileOptions {
  /** Outside of the data directory, so that neither a reset nor a store that is put back takes it along. */
  readonly path: string;
  /** From a change to its being written, in milliseconds: below 1000 (design.md 4). */
  readonly delayMs?: number;
  /** Told of every write that failed; the next change, or the same again after the delay, is tried then. */
  readonly onError: (error: SpikeError) => void;
}

/** What the file says. */
export type FoundAnchor =
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'found'; readonly anchor: Anchor };

/** The anchor file: read once, then rewritten as a whole, at most once in `delayMs`. */
export class AnchorFile implements AsyncDisposable {
  #found: FoundAnchor;
  readonly #options: AnchorFileOptions;
  #next: (() => string) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: AnchorFileOptions, found: FoundAnchor) {
    this.#options = options;
    this.#found = found;
  }

  /** As of the opening, or of the last write since: a store can be opened twice in the life of a process. */
  get found(): FoundAnchor {
    return this.#found;
  }

  /** Throws SpikeError `fs_unsafe` for a link or a file of somebody else, `store_failed` when it can't be read. */
  static async open(options: AnchorFileOptions): Promise<AnchorFile> {
    return new AnchorFile(options, await readAnchor(options.path));
  }

  /** The anchor has changed. `make` is called when it is time to write. */
  note(make: () => string): void {
    this.#next = make;
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.delayMs ?? 500).unref();
  }

  /** Writes what was noted, now. Errors go to `onError`. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const make = this.#next;
    this.#next = undefined;
    if (make !== undefined) {
      // One write after the other, or an older anchor could be renamed over a newer one.
      this.#writing = this.#writing.then(() => this.#write(make));
    }
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #write(make: () => string): Promise<void> {
    try {
      const text = make();
      await replace(this.#options.path, text);
      this.#found = { kind: 'found', anchor: parseAnchor(text) };
    } catch (cause) {
      if (this.#next === undefined) this.note(make);
      this.#options.onError(
        new SpikeError('store_failed', `the anchor file ${this.#options.path} could not be written`, {
          cause,
        }),
      );
    }
  }
}

async function readAnchor(path: string): Promise<FoundAnchor> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT') return { kind: 'absent' };
    if (code === 'ELOOP') throw new SpikeError('fs_unsafe', `the anchor file ${path} is a link`, { cause });
    throw new SpikeError('store_failed', `the anchor file ${path} could not be read`, { cause });
  }
  await using owned = file;
  const { size, uid, mode } = await owned.stat();
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0 || (mode & constants.S_IFMT) !== constants.S_IFREG) {
    throw new SpikeError('fs_unsafe', `the anchor file ${path} is not a file that only this user may write`);
  }
  if (size > longestAnchor) return { kind: 'damaged' };
  try {
    return { kind: 'found', anchor: parseAnchor(await owned.readFile('utf8')) };
  } catch (thrown) {
    if (thrown instanceof SpikeError) return { kind: 'damaged' };
    throw new SpikeError('store_failed', `the anchor file ${path} could not be read`, { cause: thrown });
  }
}

/** Either the old content or the new, whenever the machine stops. */
async function replace(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  // Left over from a process that died: O_EXCL keeps us from following a link that somebody put there.
  await rm(draft, { force: true });
  {
    await using file = await open(draft, 'wx', 0o600);
    await file.writeFile(text);
    await file.sync();
  }
  await rename(draft, path);
  await using directory = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}
