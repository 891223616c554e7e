import { retain, timeOf, type AuditFile } from '@spike/audit';
import { describeError, type Log } from '@spike/log';
import { createTicks } from '../admin/ticks.ts';

export interface RetentionOptions {
  readonly audit: AuditFile;
  /** Lines older than this are given up, in milliseconds; undefined keeps them. */
  readonly keepMs: number | undefined;
  /** The oldest lines are given up while all have more bytes; undefined keeps them. */
  readonly keepBytes: number | undefined;
  /** No line from here on may be given up: the outbox may still look for it. */
  readonly neededFrom: () => number;
  /** What is given up is signed before. */
  readonly sign: () => Promise<unknown>;
  /** Makes a record that no request did, without the opening brace. */
  readonly note: (action: string, fields: Readonly<Record<string, number>>) => string;
  /** Told of lines that are not those that were written: they stay, for a person to look at. */
  readonly onRefused: (from: number) => void;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * The wall clock, as far as time has passed since this was called: a clock that somebody sets forward makes no line old,
 * and every line would be gone at once.
 */
export function createAge(wall: () => number = Date.now, ticks: () => number = createTicks()): () => number {
  const ahead = wall() - ticks();
  return () => Math.min(wall(), ticks() + ahead);
}

/** One file holds at most a tenth of the time that lines are kept, and at most a day of them. */
const longestFileMs = 86_400_000;

/** Gives up lines that are not to be kept, in the background. */
export class Retention {
  readonly #options: RetentionOptions;
  #running: Promise<void> | undefined;

  readonly #now: () => number;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#now = options.now ?? createAge();
  }

  /** When nothing is under way any more. */
  get settled(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Looks once; a failure is for the log and for the next time. */
  async look(signal: AbortSignal): Promise<void> {
    const { keepMs, keepBytes } = this.#options;
    if (keepMs === undefined && keepBytes === undefined) return;
    this.#running ??= this.#look(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#options.log.error('audit.retention_failed', describeError(error));
      })
      .finally(() => (this.#running = undefined));
    await this.#running;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { audit, keepMs, keepBytes, neededFrom, sign, note, onRefused } = this.#options;
    const now = this.#now;
    if (keepMs !== undefined) {
      const begun = timeOf(await audit.line(audit.newest, signal));
      if (begun !== undefined && now() - begun > Math.min(longestFileMs, keepMs / 10)) await audit.roll();
    } else if (keepBytes !== undefined && audit.newestBytes > keepBytes / 10) {
      await audit.roll();
    }
    await sign();
    const limits = {
      ...(keepMs === undefined ? {} : { keepMs }),
      ...(keepBytes === undefined ? {} : { keepBytes }),
    };
    const { sealed, refused } = await retain(
      audit,
      { ...limits, neededFrom: neededFrom(), now: now() },
      signal,
    );
    for (const { from, to, bytes } of sealed) await audit.append(note('audit.sealed', { from, to, bytes }));
    if (refused !== undefined) onRefused(refused);
  }
}
