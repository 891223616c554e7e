import type {
  CommitResult,
  Head,
  ListOptions,
  Op,
  Row,
  Store,
  StoreHealth,
  Table,
  VerifyReport,
} from '@spike/store';

/**
 * A store whose next commits and look-ups can be made to fail, and which can be held up. `before`: nothing was written;
 * `after`: it was, and the answer is lost.
 */
export class FaultyStore implements Store {
  readonly kind = 'memory';
  readonly inner: Store;
  /** Taken one for each commit. */
  readonly faults: ('before' | 'after' | 'none')[] = [];
  /** How many of the next look-ups fail. */
  failingReads = 0;
  /** While set, commits wait for it. */
  gate: Promise<void> | undefined;
  /** Every transaction that was committed. */
  readonly committed: (readonly Op[])[] = [];
  refused = 0;

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
    const fault = this.faults.shift();
    if (fault === 'before') throw new Error('the disk is full');
    const result = await this.inner.commit(ops);
    if (result.ok) this.committed.push(ops);
    else this.refused++;
    if (fault === 'after') throw new Error('the answer is lost');
    return result;
  }

  health(): Promise<StoreHealth> {
    return this.inner.health();
  }

  verify(signal: AbortSignal): Promise<VerifyReport> {
    return this.inner.verify(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inner[Symbol.asyncDispose]();
  }
}
