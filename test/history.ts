import assert from 'node:assert/strict';
import { toSpikeError } from '@spike/error';
import type { CallOptions, Spike } from '@spike/sdk';
import type { Random } from './random.ts';

/** Versions that a secret keeps unless Nexus is told otherwise. */
const kept = 10;
const prunedSamples = 5;
/** Nobody is killed any more: what is late now is slow, not lost. */
const patienceMs = 60_000;
/** Answers that say that nothing was done. */
const refusals: readonly string[] = ['state_not_ready', 'identity_withdrawn', 'limit_exceeded'];

type Fate = 'acknowledged' | 'unknown';

/** What one writer did to one path that nobody else writes to, and what of it was acknowledged. */
export class History {
  readonly path: string;
  readonly #puts: { readonly value: string; readonly version: number | undefined }[] = [];
  readonly #deletes = new Map<number, Fate>();
  #highest = 0;
  #unknownDeletes = 0;
  #acknowledgedDeletes = 0;

  constructor(path: string) {
    this.path = path;
  }

  get acknowledged(): number {
    return this.#puts.filter(({ version }) => version !== undefined).length + this.#acknowledgedDeletes;
  }

  get unknown(): number {
    return this.#puts.filter(({ version }) => version === undefined).length + this.#unknownDeletes;
  }

  /** How many deletions the audit may hold. */
  get deletions(): { readonly least: number; readonly most: number } {
    return {
      least: this.#acknowledgedDeletes,
      most: this.#acknowledgedDeletes + this.#unknownDeletes,
    };
  }

  /** One write; what it fails with is thrown on after its fate was noted. */
  async write(spike: Spike, random: Random): Promise<void> {
    if (this.#highest > 0 && random.oneIn(6)) {
      await this.#delete(spike, Math.max(1, this.#highest - random.integer(0, 3)));
    } else await this.put(spike);
  }

  async put(spike: Spike, options: CallOptions = {}): Promise<number> {
    const value = `${this.path} ${this.#puts.length + 1}`;
    try {
      const { version } = await spike.put(this.path, { value }, options);
      assert(version !== undefined && version > this.#highest, `${value}: ${version} after ${this.#highest}`);
      this.#puts.push({ value, version });
      this.#highest = version;
      return version;
    } catch (error) {
      if (mayHaveHappened(error)) this.#puts.push({ value, version: undefined });
      throw error;
    }
  }

  /** Reads everything back, after a last write that tells the last version's number, and returns that number. */
  async check(spike: Spike): Promise<number> {
    const last = await this.put(spike, { deadlineMs: patienceMs });
    const unclaimed = this.#puts.filter(({ version }) => version === undefined).length;
    const claimed = this.#puts.length - unclaimed;
    assert(
      last - claimed <= unclaimed,
      `${this.path}: ${last} versions, ${claimed} acknowledged, ${unclaimed} unknown`,
    );
    for (let version = Math.max(1, last - kept + 1); version <= last; version++) {
      this.#assertVersion(version, await read(spike, this.path, version));
    }
    const pruned = [...this.#deletes.keys(), ...Array.from({ length: last }, (_, index) => index + 1)];
    for (const version of pruned.filter((one) => one <= last - kept).slice(-prunedSamples)) {
      assert.equal(await read(spike, this.path, version), undefined, `${this.path} ${version} came back`);
    }
    return last;
  }

  async #delete(spike: Spike, version: number): Promise<void> {
    try {
      await spike.delete(this.path, { versions: [version] });
      this.#deletes.set(version, 'acknowledged');
      this.#acknowledgedDeletes += 1;
    } catch (error) {
      if (mayHaveHappened(error)) {
        this.#unknownDeletes += 1;
        if (!this.#deletes.has(version)) this.#deletes.set(version, 'unknown');
      }
      throw error;
    }
  }

  #assertVersion(version: number, found: string | undefined): void {
    const what = `${this.path} ${version}`;
    const deletion = this.#deletes.get(version);
    if (deletion === 'acknowledged') {
      assert.equal(found, undefined, `${what} was deleted`);
      return;
    }
    if (deletion === 'unknown' && found === undefined) return;
    const index = this.#puts.findIndex((put) => put.version === version);
    if (index >= 0) {
      assert.equal(found, this.#puts[index]?.value, `${what} was acknowledged`);
      return;
    }
    // Nobody was told of this version: it is one of the writes whose answer was lost between its neighbours.
    const from = this.#puts.findLastIndex((put) => put.version !== undefined && put.version < version);
    const to = this.#puts.findIndex((put) => put.version !== undefined && put.version > version);
    const candidates = this.#puts.slice(from + 1, to).map(({ value }) => value);
    assert(
      found !== undefined && candidates.includes(found),
      `${what} is ${found}, none of ${candidates.join(', ')}`,
    );
  }
}

function mayHaveHappened(error: unknown): boolean {
  const { code, detail } = toSpikeError(error);
  return detail['sent'] !== false && !refusals.includes(code);
}

async function read(spike: Spike, path: string, version: number): Promise<string | undefined> {
  try {
    return (await spike.get(path, { version, deadlineMs: patienceMs })).field('value').expose();
  } catch (error) {
    if (toSpikeError(error).code === 'api_not_found') return undefined;
    throw error;
  }
}
