import { RE2JS } from 're2js';

const mostPrograms = 2000;

/**
 * Patterns as RE2 runs them. One takes 20 KB and more with what it learns while it matches, so of the patterns of many
 * policies only those that were asked for of late are kept; making one again takes less than a millisecond as a rule.
 */
export class Programs {
  readonly #most: number;
  readonly #bySource = new Map<string, RE2JS>();

  constructor(most = mostPrograms) {
    this.#most = most;
  }

  get size(): number {
    return this.#bySource.size;
  }

  /** Throws what RE2 says of a pattern that is none. */
  get(source: string): RE2JS {
    const known = this.#bySource.get(source);
    const program = known ?? RE2JS.compile(source);
    // A map keeps the order in which its entries were set: the first one is the one that was not asked for longest.
    if (known !== undefined) this.#bySource.delete(source);
    else if (this.#bySource.size >= this.#most) this.#forgetOldest();
    this.#bySource.set(source, program);
    return program;
  }

  #forgetOldest(): void {
    for (const oldest of this.#bySource.keys()) {
      this.#bySource.delete(oldest);
      return;
    }
  }
}
