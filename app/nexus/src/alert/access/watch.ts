import type { Log } from '@spike/log';
import { SealedBook, type Place, type SealedPart } from '../../book/sealed-book.ts';
import type { AlertPort } from '../port.ts';
import { AccessRoll } from './roll.ts';
import { Sketch } from './sketch.ts';

export interface AccessWatchOptions {
  readonly alerts: AlertPort;
  readonly log: Log;
  /** How long a SPIFFE ID is only learnt, from its first read on. */
  readonly learningMs: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly most?: number;
}

/** SPIFFE IDs that are watched, 2.3 KiB each. */
const mostIds = 10_000;
/** Of one transaction. */
const batch = 1_000;
/** Different paths in a minute that are unusual at most: three times as many as ever while it was learnt, and over 20. */
const factor = 3;
const fewest = 20;
const writeMs = 60_000;
/** How often the time of the last read is noted, in the time of learning. */
const notedPerLearning = 4;

/** Knows what each workload usually reads, and tells of what it does not (admin.md G). */
export class AccessWatch implements SealedPart {
  readonly #options: AccessWatchOptions;
  readonly #now: () => number;
  readonly #most: number;
  readonly #sealed: SealedBook<Sketch>;
  readonly #roll: AccessRoll;
  #last: Sketch | undefined;
  #attached = false;
  /** When there was no room for all that read. */
  #crowdedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AccessWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#most = options.most ?? mostIds;
    this.#roll = new AccessRoll({ most: this.#most, learningMs: options.learningMs });
    this.#sealed = new SealedBook<Sketch>({
      table: 'alert',
      label: 'access',
      encode: (sketch) => sketch.encode(),
      decode: (bytes) => Sketch.decode(bytes),
      idOf: ({ id }) => id,
      log: options.log,
      batch,
      pauseMs: writeMs,
    });
  }

  /** A read that was answered. */
  read(spiffeId: string, path: string): void {
    if (!this.#attached) return;
    const now = this.#now();
    const sketch = this.#find(spiffeId, now);
    if (sketch === undefined) return;
    const { known, distinct, changed } = sketch.see(path, now);
    if (now < sketch.since + this.#options.learningMs) {
      if (!changed && distinct <= sketch.peak) return;
      sketch.peak = Math.max(sketch.peak, distinct);
      this.#sealed.put(sketch);
      return;
    }
    if (changed) this.#sealed.put(sketch);
    if (!known) {
      this.#options.alerts.raise({
        kind: 'unusual_access',
        subject: spiffeId,
        message: 'a workload read a path that it never read before',
        detail: { path },
      });
    }
    if (distinct > Math.max(fewest, factor * sketch.peak)) {
      this.#options.alerts.raise({
        kind: 'unusual_access',
        subject: spiffeId,
        message: `a workload read ${distinct} different paths within a minute`,
        detail: { distinct, usual: sketch.peak },
      });
    }
  }

  async attach(place: Place): Promise<void> {
    const { entries } = await this.#sealed.attach(place);
    this.#last = undefined;
    // More than there is room for are there when another release wrote them.
    for (const id of this.#roll.begin(entries, this.#now())) this.#sealed.remove(id);
    this.#attached = true;
  }

  async detach(): Promise<void> {
    this.#attached = false;
    await this.#sealed.detach();
  }

  /** What a person has to know: the watch does not see everybody. */
  get warnings(): readonly string[] {
    if (this.#now() - this.#crowdedAt >= this.#options.learningMs) return [];
    return [
      `more SPIFFE IDs read secrets than are watched for unusual access (${this.#most}): of some of them nothing is told`,
    ];
  }

  #find(id: string, now: number): Sketch | undefined {
    // Most requests come from whoever asked before.
    const sketch = this.#last?.id === id ? this.#last : this.#seek(id, now);
    if (sketch === undefined) return undefined;
    sketch.readAt = now;
    if (Math.abs(now - sketch.notedAt) > this.#options.learningMs / notedPerLearning) {
      sketch.notedAt = now;
      this.#sealed.put(sketch);
    }
    return sketch;
  }

  #seek(id: string, now: number): Sketch | undefined {
    const { sketch, gone, isCrowded } = this.#roll.find(id, now);
    if (isCrowded) this.#crowdedAt = now;
    if (gone !== undefined) this.#sealed.remove(gone);
    this.#last = sketch;
    return sketch;
  }
}
