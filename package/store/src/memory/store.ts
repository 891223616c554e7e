import { SpikeError } from '@spike/error';
import { anotherSnapshot, checkKey, checkList, checkOps, checkTable } from '../limit.ts';
import { toSealed } from '../seal.ts';
import type {
  CommitResult,
  Expect,
  Head,
  ListOptions,
  Op,
  Row,
  Snapshot,
  Store,
  StoreHealth,
  Table,
  VerifyReport,
} from '../store.ts';
import { RowMap } from './row-map.ts';
import { MemorySnapshot } from './snapshot.ts';

/** A store that lives as long as its process, for tests. It keeps and answers copies, as a real one does. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly kind = 'memory';
  #tables = new Map<Table, RowMap>();
  #head: Head | undefined;
  #snapshot: MemorySnapshot | undefined;
  #closed = false;

  async head(): Promise<Head | undefined> {
    this.#assertOpen();
    const head = this.#head;
    return head && { revision: head.revision, bytes: new Uint8Array(head.bytes) };
  }

  async get(table: Table, key: Uint8Array): Promise<Row | undefined> {
    this.#assertOpen();
    checkTable(table);
    checkKey(key);
    const row = this.#table(table).get(key);
    return row && copyRow(row);
  }

  async list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    this.#assertOpen();
    checkTable(table);
    checkList(prefix, options);
    return this.#table(table)
      .list(prefix, options)
      .map((row) => copyRow(row));
  }

  async commit(ops: readonly Op[]): Promise<CommitResult> {
    this.#assertOpen();
    checkOps(ops);
    const undo: (() => void)[] = [];
    for (const [index, op] of ops.entries()) {
      if (!holds(op.expect, this.#revision(op))) {
        for (const step of undo.reverse()) step();
        return { ok: false, conflict: index };
      }
      undo.push(this.#apply(op));
    }
    return { ok: true };
  }

  async health(): Promise<StoreHealth> {
    let bytes = this.#head?.bytes.byteLength ?? 0;
    for (const table of this.#tables.values()) bytes += table.bytes;
    if (this.#closed) return { ok: false, kind: this.kind, bytes, problem: 'the store is closed' };
    return { ok: true, kind: this.kind, bytes };
  }

  async snapshot(signal: AbortSignal): Promise<Snapshot> {
    this.#assertOpen();
    signal.throwIfAborted();
    if (this.#snapshot !== undefined) throw anotherSnapshot();
    const onEnd = (): void => (this.#snapshot = undefined);
    this.#snapshot = new MemorySnapshot(await this.head(), this.#tables, signal, { copy: copyRow, onEnd });
    return this.#snapshot;
  }

  async verify(signal: AbortSignal): Promise<VerifyReport> {
    this.#assertOpen();
    signal.throwIfAborted();
    return { ok: true, problems: [], durationMs: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#snapshot?.[Symbol.asyncDispose]();
    this.#tables = new Map();
    this.#head = undefined;
  }

  #table(name: Table): RowMap {
    let table = this.#tables.get(name);
    if (table === undefined) this.#tables.set(name, (table = new RowMap()));
    return table;
  }

  #revision(op: Op): number | undefined {
    if (op.kind === 'head') return this.#head?.revision;
    return this.#table(op.table).get(op.kind === 'put' ? op.row.key : op.key)?.revision;
  }

  /** Applies one operation and answers what takes it back. */
  #apply(op: Op): () => void {
    if (op.kind === 'head') {
      const before = this.#head;
      this.#head = { revision: op.revision, bytes: new Uint8Array(op.bytes) };
      return () => (this.#head = before);
    }
    const table = this.#table(op.table);
    const key = op.kind === 'put' ? op.row.key : op.key;
    const before = table.get(key);
    if (op.kind === 'put') table.set(copyRow(op.row));
    else table.delete(key);
    return () => {
      if (before === undefined) table.delete(key);
      else table.set(before);
    };
  }

  #assertOpen(): void {
    if (this.#closed) {
      throw new SpikeError('store_failed', 'the store is closed', { detail: { outcome: 'none' } });
    }
  }
}

function holds(expect: Expect, revision: number | undefined): boolean {
  if (expect === 'any') return true;
  if (expect === 'absent') return revision === undefined;
  return revision === expect.revision;
}

function copyRow(row: Row): Row {
  return {
    ...row,
    key: new Uint8Array(row.key),
    nonce: new Uint8Array(row.nonce),
    body: toSealed(new Uint8Array(row.body)),
  };
}
