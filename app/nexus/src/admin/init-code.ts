import { timingSafeEqual } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ensurePrivateDirectory, writePrivateFile } from '@spike/config';
import { authenticate, type Secret } from '@spike/crypto';
import { makeInitCode, normalizeCode } from './one-time-password.ts';
import type { BookSet } from './book-set.ts';

/** Where a new code is shown, once: to whoever may read files of Nexus on its host. */
export interface CodePlace {
  show(code: string): Promise<void>;
  clear(): Promise<void>;
}

const tries = 5;

/** A 0600 file in a directory that is ours alone. */
export function codeFile(path: string): CodePlace {
  return {
    show: async (code) => {
      await ensurePrivateDirectory(dirname(path));
      await writePrivateFile(path, `${code}\n`);
    },
    clear: async () => await rm(path, { force: true }),
  };
}

/**
 * The code that shows that whoever initialises has been on Nexus's host (admin.md A3a): 128 random bits, of which a
 * sealed HMAC is kept. After five wrong ones there is a new code.
 */
export class InitCode {
  readonly #books: BookSet;
  readonly #key: Secret;
  readonly #place: CodePlace;

  constructor(options: { readonly books: BookSet; readonly key: Secret; readonly place: CodePlace }) {
    this.#books = options.books;
    this.#key = options.key;
    this.#place = options.place;
  }

  /** Makes a code in place of the one before, if any. */
  async renew(): Promise<void> {
    const code = makeInitCode();
    await this.#books.commit([
      this.#books.prepareSetting({ kind: 'init-code', mac: this.#mac(code), triesLeft: tries }),
    ]);
    // After the commit: what is shown opens something.
    await this.#place.show(code);
  }

  /** Whether this is the code. A wrong one is counted before this resolves. */
  async matches(text: string): Promise<boolean> {
    const kept = this.#books.setting('init-code');
    if (kept === undefined) return false;
    const given = Buffer.from(this.#mac(normalizeCode(text)), 'base64');
    if (timingSafeEqual(given, Buffer.from(kept.mac, 'base64'))) return true;
    const triesLeft = kept.triesLeft - 1;
    if (triesLeft <= 0) await this.renew();
    else await this.#books.commit([this.#books.prepareSetting({ ...kept, triesLeft })]);
    return false;
  }

  /** The file goes when there is nothing left to initialise. */
  async clear(): Promise<void> {
    await this.#place.clear();
  }

  #mac(code: string): string {
    return Buffer.from(authenticate(this.#key, 'init', code)).toString('base64');
  }
}
