/** Of what is looked for at least so many bytes are compared; shorter patterns are left out. */
export const shortest = 12;
const block = 3;
const slots = 65_536;

export interface Pattern {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Found {
  readonly name: string;
  readonly offset: number;
}

/**
 * Finds many patterns in one pass (Wu and Manber, 1994): the last three bytes of a window of twelve say how far it may
 * move on, and where it may not, which patterns could begin there.
 */
export class Scanner {
  readonly #shifts = new Uint8Array(slots).fill(shortest - block + 1);
  readonly #buckets = new Map<number, Pattern[]>();

  constructor(patterns: Iterable<Pattern>) {
    for (const pattern of patterns) {
      if (pattern.bytes.length < shortest) continue;
      for (let end = block; end <= shortest; end++) {
        const slot = slotOf(pattern.bytes, end);
        this.#shifts[slot] = Math.min(this.#shifts[slot] ?? 0, shortest - end);
      }
      const slot = slotOf(pattern.bytes, shortest);
      const bucket = this.#buckets.get(slot);
      if (bucket === undefined) this.#buckets.set(slot, [pattern]);
      else bucket.push(pattern);
    }
  }

  /** The first place of each name. */
  find(bytes: Buffer): readonly Found[] {
    const found = new Map<string, number>();
    for (let end = shortest; end <= bytes.length;) {
      const slot = slotOf(bytes, end);
      const shift = this.#shifts[slot] ?? 0;
      if (shift > 0) {
        end += shift;
        continue;
      }
      const offset = end - shortest;
      for (const { name, bytes: wanted } of this.#buckets.get(slot) ?? []) {
        const ends = offset + wanted.length;
        if (found.has(name) || ends > bytes.length) continue;
        if (wanted.compare(bytes, offset, ends) === 0) found.set(name, offset);
      }
      end += 1;
    }
    return [...found].map(([name, offset]) => ({ name, offset }));
  }
}

function slotOf(bytes: Uint8Array, end: number): number {
  const [first = 0, second = 0, third = 0] = [bytes[end - 3], bytes[end - 2], bytes[end - 1]];
  return ((first << 11) ^ (second << 6) ^ third) & (slots - 1);
}
