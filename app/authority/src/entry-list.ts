import { randomBytes } from 'node:crypto';
import { SpikeError } from '@spike/error';
import type { PidHandle } from '@spike/host';
import { formatSelector, type RegistrationEntry } from '@spike/registry';
import type { Pulse } from './pulse.ts';

const maxEntries = 2_000;

export interface EntryListOptions {
  readonly entries: readonly RegistrationEntry[];
  /** Resolves when they would survive a crash. */
  readonly persist: (entries: readonly RegistrationEntry[]) => Promise<void>;
  readonly changed: Pulse;
}

/** The entries, in the order of their creation. A change is on disk before it is in force or acknowledged. */
export class EntryList implements Disposable {
  readonly #options: EntryListOptions;
  #entries: readonly RegistrationEntry[];
  #writing: Promise<unknown> = Promise.resolve();
  /** The one process that an entry is about, by the id of the entry. */
  readonly #processes = new Map<string, PidHandle>();

  constructor(options: EntryListOptions) {
    this.#options = options;
    this.#entries = options.entries;
  }

  /** Without those whose process has ended, since its number may mean another one soon. */
  inForce(): readonly RegistrationEntry[] {
    return this.#entries.filter((entry) => this.#processes.get(entry.id)?.alive() ?? true);
  }

  /** Digests are computed only while somebody asks for one. */
  get usesDigest(): boolean {
    return this.#entries.some((entry) => entry.selectors.some(({ type }) => type === 'sha256'));
  }

  /** Throws `api_not_found`. */
  get(id: string): RegistrationEntry {
    const found = this.#entries.find((entry) => entry.id === id);
    if (found === undefined) throw new SpikeError('api_not_found', `there is no entry ${id}`);
    return found;
  }

  /**
   * The same ID with the same selectors is the same entry, so that a launcher can ask for what it needs at each start.
   * Takes over `process`, with whose life the entry ends. Throws `limit_exceeded`.
   */
  async add(
    entry: RegistrationEntry,
    process?: PidHandle,
  ): Promise<{ readonly entry: RegistrationEntry; readonly created: boolean }> {
    let same: RegistrationEntry | undefined;
    try {
      await this.#change((entries) => {
        same = this.inForce().find((other) => isSame(entry, other));
        if (same !== undefined) return entries;
        if (entries.length >= maxEntries) {
          throw new SpikeError('limit_exceeded', `there are ${maxEntries} entries; delete some first`);
        }
        if (process !== undefined) this.#processes.set(entry.id, process);
        return [...entries, entry];
      });
    } catch (error) {
      process?.[Symbol.dispose]();
      this.#processes.delete(entry.id);
      throw error;
    }
    if (same === undefined) return { entry, created: true };
    process?.[Symbol.dispose]();
    return { entry: same, created: false };
  }

  /** Throws `api_not_found`. */
  async federate(id: string, federatesWith: readonly string[]): Promise<RegistrationEntry> {
    await this.#change((entries) => {
      this.get(id);
      return entries.map((entry) => (entry.id === id ? { ...entry, federatesWith } : entry));
    });
    return this.get(id);
  }

  /** Throws `api_not_found`. */
  async delete(id: string): Promise<RegistrationEntry> {
    const entry = this.get(id);
    await this.#change((entries) => {
      this.get(id);
      return entries.filter((other) => other.id !== id);
    });
    this.#release(id);
    return entry;
  }

  /** Removes the entries whose process has ended, and answers them. */
  async sweep(): Promise<readonly RegistrationEntry[]> {
    const ended = new Set([...this.#processes].filter(([, handle]) => !handle.alive()).map(([id]) => id));
    const removed = this.#entries.filter(({ id }) => ended.has(id));
    if (removed.length > 0) await this.#change((entries) => entries.filter(({ id }) => !ended.has(id)));
    for (const id of ended) this.#release(id);
    return removed;
  }

  [Symbol.dispose](): void {
    for (const id of this.#processes.keys()) this.#release(id);
  }

  #release(id: string): void {
    this.#processes.get(id)?.[Symbol.dispose]();
    this.#processes.delete(id);
  }

  async #change(
    edit: (entries: readonly RegistrationEntry[]) => readonly RegistrationEntry[],
  ): Promise<void> {
    const write = this.#writing.then(async () => {
      const next = edit(this.#entries);
      if (next === this.#entries) return;
      const [before, after] = [this.#entries.filter(isLasting), next.filter(isLasting)];
      const isOnDisk = before.length === after.length && after.every((entry, at) => entry === before[at]);
      if (!isOnDisk) await this.#options.persist(after);
      this.#entries = next;
      this.#options.changed.fire();
    });
    this.#writing = write.catch(() => undefined);
    await write;
  }
}

/** An entry as of now, with an id of its own; selectors that are named twice count once. */
export function createEntry(
  draft: Pick<RegistrationEntry, 'spiffeId' | 'selectors' | 'origin'> &
    Partial<Pick<RegistrationEntry, 'federatesWith'>>,
): RegistrationEntry {
  return {
    id: randomBytes(8).toString('hex'),
    spiffeId: draft.spiffeId,
    selectors: [...new Map(draft.selectors.map((each) => [formatSelector(each), each])).values()],
    createdAt: new Date().toISOString(),
    origin: draft.origin,
    federatesWith: [...new Set(draft.federatesWith ?? [])],
  };
}

/** A pid names a process only until it ends, and an authority that starts again can't know: such entries stay in memory. */
function isLasting(entry: RegistrationEntry): boolean {
  return entry.selectors.every(({ type }) => type !== 'pid');
}

function isSame(left: RegistrationEntry, right: RegistrationEntry): boolean {
  if (left.origin === 'run' || right.origin === 'run') return false;
  const key = (entry: RegistrationEntry): string =>
    [entry.spiffeId, ...entry.selectors.map(formatSelector).sort()].join('\0');
  return key(left) === key(right);
}
