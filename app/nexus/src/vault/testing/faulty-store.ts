import { SpikeError } from '@spike/error';
import type {
  CommitResult,
  Head,
  ListOptions,
  Op,
  Row,
  Snapshot,
  Store,
  StoreHealth,
  Table,
  VerifyReport,
} from '@spike/store';

export type Fault = 'before' | 'lost' | 'after' | 'stalled';

/**
 * A store whose next commits and look-ups can be made to fail, and which can be held up. `before`: nothing was written
 * and the store says so; `lost`: nothing was written and nobody says so; `after`: it was, and the answer is lost; `stalled`:
 * the answer is lost, and it is written when `release` is called.
 */
export class FaultyStore implements Store {
  readonly kind = 'memory';
  readonly inner: Store;
  /** Taken one for each commit. */
  readonly faults: Fault[] = [];
  /** How many of the next look-ups fail. */
  failingReads = 0;
  /** While set, commits wait for it. */
  gate: Promise<void> | undefined;
  /** Called once, when the next commit has arrived. */
  beforeNext: (() => Promise<void>) | undefined;
  /** Every transaction that was committed. */
  readonly committed: (readonly Op[])[] = [];
  refused = 0;
  readonly #stalled: (readonly Op[])[] = [];

  constructor(inner: Store) {
    this.inner = inner;
  }

  head(): Promise<Head | undefined> {
    return this.inner.head();
  }

  async get(table: Table, key: Uint8Array): Promise<Row | undefined> {
    if (this.failingReads > 0) {
      this.failingReads--;
      throw new Error('the disk is gone');
    }
    return await this.inner.get(table, key);
  }

  list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    return this.inner.list(table, prefix, options);
  }

  async commit(ops: readonly Op[]): Promise<CommitResult> {
    await this.gate;
    await this.beforeNext?.();
    this.beforeNext = undefined;
    const fault = this.faults.shift();
    if (fault === 'before') {
      throw new SpikeError('store_failed', 'the disk is full', { detail: { outcome: 'none' } });
    }
    if (fault === 'lost') throw new Error('the disk is gone');
    if (fault === 'stalled') {
      this.#stalled.push(ops);
      throw new SpikeError('store_failed', 'the disk does not answer', { detail: { outcome: 'unknown' } });
    }
    const result = await this.inner.commit(ops);
    if (result.ok) this.committed.push(ops);
    else this.refused++;
    if (fault === 'after') throw new Error('the answer is lost');
    return result;
  }

  /** The disk goes on with what it was asked for. */
  async release(): Promise<void> {
    for (const ops of this.#stalled.splice(0)) {
      if ((await this.inner.commit(ops)).ok) this.committed.push(ops);
    }
  }

  health(): Promise<StoreHealth> {
    return this.inner.health();
  }

  snapshot(signal: AbortSignal): Promise<Snapshot> {
    return this.inner.snapshot(signal);
  }

  verify(signal: AbortSignal): Promise<VerifyReport> {
    return this.inner.verify(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inner[Symbol.asyncDispose]();
  }
}
