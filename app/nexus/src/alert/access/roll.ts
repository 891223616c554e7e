import { Sketch } from './sketch.ts';

export interface AccessRollOptions {
  /** SPIFFE IDs that there is room for. */
  readonly most: number;
  /** How long one is only learnt, from its first read on. */
  readonly learningMs: number;
}

export interface FoundSketch {
  /** Undefined where there is no room for one more. */
  readonly sketch: Sketch | undefined;
  /** Who had to make room. */
  readonly gone: string | undefined;
  /** Somebody is not watched for whom there was no room. */
  readonly isCrowded: boolean;
}

/**
 * Which SPIFFE IDs are watched. Room for another is made by one that is known and has not read for the whole time of
 * learning, or else by the one of those who are still learnt that read longest ago. So newcomers, however many, push out
 * none that is known and reads: whoever has many IDs could have Nexus forget what others usually do.
 */
export class AccessRoll {
  readonly #options: AccessRollOptions;
  /** Both with the one first that read longest ago. */
  readonly #known = new Map<string, Sketch>();
  readonly #learnt = new Map<string, Sketch>();

  constructor(options: AccessRollOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#known.size + this.#learnt.size;
  }

  /** Begins anew with these; answers for whom there is no room. */
  begin(sketches: readonly Sketch[], now: number): readonly string[] {
    this.#known.clear();
    this.#learnt.clear();
    const order = sketches.toSorted(
      (a, b) => Number(this.#isKnown(b, now)) - Number(this.#isKnown(a, now)) || b.readAt - a.readAt,
    );
    for (const sketch of order.slice(0, this.#options.most).toReversed()) this.#place(sketch, now);
    return order.slice(this.#options.most).map(({ id }) => id);
  }

  /** The one of this ID, or a new one where there is room or can be made. It has just read. */
  find(id: string, now: number): FoundSketch {
    const found = this.#known.get(id) ?? this.#learnt.get(id);
    if (found !== undefined) {
      this.#known.delete(id);
      this.#learnt.delete(id);
      this.#place(found, now);
      return { sketch: found, gone: undefined, isCrowded: false };
    }
    const isFull = this.size >= this.#options.most;
    const idle = isFull ? this.#takeIdle(now) : undefined;
    const pushed = isFull && idle === undefined ? this.#takeLearnt(now) : undefined;
    if (isFull && idle === undefined && pushed === undefined)
      return { sketch: undefined, gone: undefined, isCrowded: true };
    const sketch = new Sketch(id, now);
    this.#place(sketch, now);
    return { sketch, gone: idle ?? pushed, isCrowded: pushed !== undefined };
  }

  #place(sketch: Sketch, now: number): void {
    (this.#isKnown(sketch, now) ? this.#known : this.#learnt).set(sketch.id, sketch);
  }

  #takeIdle(now: number): string | undefined {
    const [sketch] = this.#known.values();
    if (sketch === undefined || now - sketch.readAt < this.#options.learningMs) return undefined;
    this.#known.delete(sketch.id);
    return sketch.id;
  }

  #takeLearnt(now: number): string | undefined {
    for (const sketch of this.#learnt.values()) {
      this.#learnt.delete(sketch.id);
      if (!this.#isKnown(sketch, now)) return sketch.id;
      // Its time of learning is over since it last read.
      this.#known.set(sketch.id, sketch);
    }
    return undefined;
  }

  #isKnown({ since }: Sketch, now: number): boolean {
    return now >= since + this.#options.learningMs;
  }
}
