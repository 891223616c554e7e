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
} from './store.ts';

/** `before`: it fails without having happened. `after`: it happens, and the answer is lost. */
export type Failing = 'before' | 'after';

/** A store that fails where its test says, for those above it: which call, counted from 0, and how. */
export class FailingStore implements Store {
  readonly kind: Store['kind'];
  readonly #inner: Store;
  readonly #plan: (call: number) => Failing | undefined;
  #calls = 0;

  constructor(inner: Store, plan: (call: number) => Failing | undefined) {
    this.kind = inner.kind;
    this.#inner = inner;
    this.#plan = plan;
  }

  /** How many calls there were. */
  get calls(): number {
    return this.#calls;
  }

  async head(): Promise<Head | undefined> {
    return this.#run(async () => this.#inner.head());
  }

  async get(table: Table, key: Uint8Array): Promise<Row | undefined> {
    return this.#run(async () => this.#inner.get(table, key));
  }

  async list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    return this.#run(async () => this.#inner.list(table, prefix, options));
  }

  async commit(ops: readonly Op[]): Promise<CommitResult> {
    return this.#run(async () => this.#inner.commit(ops));
  }

  async health(): Promise<StoreHealth> {
    return this.#run(async () => this.#inner.health());
  }

  async snapshot(signal: AbortSignal): Promise<Snapshot> {
    return this.#run(async () => this.#inner.snapshot(signal));
  }

  async verify(signal: AbortSignal): Promise<VerifyReport> {
    return this.#run(async () => this.#inner.verify(signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    const failing = this.#plan(this.#calls);
    this.#calls += 1;
    if (failing === undefined) return call();
    if (failing === 'after') await call();
    throw new SpikeError('store_failed', 'the test made the store fail', {
      detail: { outcome: failing === 'after' ? 'unknown' : 'none' },
    });
  }
}
