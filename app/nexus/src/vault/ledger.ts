import { SpikeError } from '@spike/error';
import type { ListOptions, Op, Row, Store, Table } from '@spike/store';

import { checkAnchors, encodeAnchor, type Anchor, type AnchorKeys, type AuditHead } from './anchor.ts';
import type { AnchorFile } from './anchor-file.ts';
import { prepareAttempt, type Attempt } from './attempt.ts';
import { admit, sizeOf, takeBatch, type Pending } from './batch.ts';
import { watchedTables, type OpenInstance } from './instance.ts';
import { broken } from './integrity.ts';
import { OutboxTracker, readOutbox, type OutboxRow } from './outbox.ts';
import type { AuditDraft, AuditPosition, Ledger, Origin, Vault } from './port.ts';
import { RowReader, toStoreError } from './row-reader.ts';
import { openState, stateKey, type State } from './state.ts';
import { TableDigest } from './table-digest.ts';

export type { AuditPosition } from './port.ts';

export interface LedgerOptions {
  /** Its owner keeps it, and disposes it after the ledger. */
  readonly store: Store;
  readonly instance: OpenInstance;
  readonly audit: AuditPosition;
  /** All that were found: of the anchor file, and notes of Keepers. */
  readonly anchors: readonly Anchor[];
  /** The instance id, from a person who accepts an older store. */
  readonly accepted?: string;
  /** Told of every change. */
  readonly anchorFile?: Pick<AnchorFile, 'note'>;
  /** Bound of the cache of sealed rows, in bytes; 64 MiB unless told. */
  readonly cacheBytes?: number;
  /** Told of the record of a transaction that was answered with an unknown outcome and turns out to be committed: the audit file still needs it. */
  readonly late?: (draft: AuditDraft) => void;
  /** How often a transaction of unknown outcome is looked for while nobody writes, in milliseconds; 1 s unless told. */
  readonly lookAgainMs?: number;
}

const longestRecord = 1024 * 1024;
const mostQueued = 10_000;

/**
 * Opens the ledger of a proven instance and checks the store against its state record and the anchors. Throws SpikeError
 * `store_integrity` when it is damaged, rolled back or changed by others, `store_missing` when the anchor is of another
 * instance, `store_failed` when it can't be read.
 */
export async function openLedger(options: LedgerOptions): Promise<GroupLedger> {
  const { store, instance } = options;
  const row = await store.get('state', stateKey(instance.vault));
  if (row === undefined) throw broken('the store has no state record');
  const state = openState(instance.vault, row);
  if (state.keyringEpoch !== instance.head.keyringEpoch || !same(state.head, instance.headDigest)) {
    throw broken('the head of the store is not the one that its state record names');
  }
  const digests = await loadDigests(store, instance.anchors, state);
  const { invalid } = checkAnchors(
    instance.anchors,
    instance.instance,
    state,
    options.anchors,
    options.accepted,
  );
  const outbox = await readOutbox(instance.vault, store);
  return new GroupLedger(options, { state, digests, outbox, invalidAnchors: invalid });
}

async function loadDigests(store: Store, keys: AnchorKeys, state: State): Promise<TableDigest[]> {
  const digests: TableDigest[] = [];
  for (const table of watchedTables) {
    const digest = await TableDigest.load(table, keys.digestKey(state.digestKey), store);
    const recorded = state.tables.find((entry) => entry.table === table);
    const matches =
      recorded === undefined
        ? digest.state.rows === 0
        : digest.state.rows === recorded.rows && same(digest.state.digest, recorded.digest);
    if (!matches) throw broken(`the table ${table} is not the one that the state record names`);
    digests.push(digest);
  }
  return digests;
}

/**
 * Many callers' transactions in one of the store, each batch being what queued while the one before was written. A
 * caller whose expectation fails is told so alone. Rows are sealed on this thread; keys never leave it.
 */
export class GroupLedger implements Ledger, AsyncDisposable {
  /** Anchors that did not verify: worth an alert. */
  readonly invalidAnchors: number;
  readonly #options: LedgerOptions;
  readonly #vault: Vault;
  readonly #store: Store;
  readonly #reader: RowReader;
  readonly #digests: readonly TableDigest[];
  readonly #pendingAtStart: readonly AuditDraft[];
  #state: State;
  readonly #queue: Pending[] = [];
  #running: Promise<void> | undefined;
  /**
   * Attempts of which nobody knows whether they were or still will be committed (a disk that stalls answers late). All of
   * them expect the state that we know, so at most one can be, and none any more once a later one is.
   */
  #unsure: readonly Attempt[] = [];
  #looking: NodeJS.Timeout | undefined;
  #broken: SpikeError | undefined;
  #closed = false;
  /** Of the closed ledger: the keys that sign anchors may be gone before the file is written. */
  #lastAnchor: string | undefined;
  readonly #outbox = new OutboxTracker();
  #audited: AuditHead | undefined;

  /** Use `openLedger`. */
  constructor(
    options: LedgerOptions,
    found: { state: State; digests: TableDigest[]; outbox: OutboxRow[]; invalidAnchors: number },
  ) {
    this.#options = options;
    this.#vault = options.instance.vault;
    this.#store = options.store;
    this.#reader = new RowReader(options.store, options.cacheBytes ?? 64 * 1024 * 1024);
    this.#state = found.state;
    this.#digests = found.digests;
    this.#pendingAtStart = found.outbox.flatMap(({ drafts }) => drafts);
    this.invalidAnchors = found.invalidAnchors;
    this.#track(found.outbox);
    this.#noteAnchor();
  }

  get revision(): number {
    return this.#state.revision;
  }

  get settled(): boolean {
    return this.#unsure.length === 0;
  }

  /** As of the last acknowledged transaction. */
  get state(): State {
    return this.#state;
  }

  /** The anchor of the last acknowledged transaction, and of the audit as far as that came since, signed now. */
  anchor(): Anchor {
    return this.#options.instance.anchors.sign(this.#state, this.#audited);
  }

  /** The audit has come so far, on the disk and without a transaction: the anchor tells of it, too. */
  noteAudit(head: AuditHead): void {
    this.#audited = head;
    this.#noteAnchor();
  }

  /**
   * What was in the outbox at the start, oldest first. Append each to the audit file unless it already has this trail
   * with a success, and tell its place with `recorded` in both cases.
   */
  pendingOutbox(): readonly AuditDraft[] {
    return this.#pendingAtStart;
  }

  get(table: Table, key: Uint8Array): Promise<Row | undefined> {
    return this.#reader.get(table, key);
  }

  async list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    try {
      return await this.#store.list(table, prefix, options);
    } catch (thrown) {
      throw toStoreError(thrown);
    }
  }

  async commit(ops: readonly Op[], { record, check }: Origin = {}): Promise<void> {
    if (this.#closed) throw storeFailed('the store is being closed', 'none');
    if (this.#queue.length >= mostQueued)
      throw new SpikeError('limit_exceeded', 'too many writes are waiting');
    if (record !== undefined && record.record.length > longestRecord) {
      throw new SpikeError('data_invalid_input', 'an audit record is too long');
    }
    // Before anything is written: a change that is made stands, whatever becomes of its record in the file.
    if (record !== undefined) this.#options.audit.assertRoom?.();
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ ops, record, check, bytes: sizeOf(ops), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  recorded(trail: string, sequence: number): void {
    this.#outbox.hold(trail, sequence);
  }

  /** Whether the outbox has this record, and the audit file does not yet. */
  owes(trail: string): boolean {
    return this.#outbox.owes(trail);
  }

  /** Refuses new transactions and waits for those that were taken. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#looking);
    await this.#running;
    this.#lastAnchor ??= encodeAnchor(this.anchor());
  }

  async #run(): Promise<void> {
    // Whoever commits in this turn of the loop comes along.
    await Promise.resolve();
    do {
      const batch = takeBatch(this.#queue);
      try {
        await this.#round(batch);
      } catch (thrown) {
        for (const pending of batch) pending.reject(thrown);
      }
    } while (this.#queue.length > 0);
    this.#running = undefined;
    this.#lookAgain();
  }

  /** What a stalled disk writes after all is told of soon, also where nobody writes any more. */
  #lookAgain(): void {
    clearTimeout(this.#looking);
    if (this.settled || this.#closed || this.#broken !== undefined) return;
    const look = (): void => void (this.#running ??= this.#run());
    this.#looking = setTimeout(look, this.#options.lookAgainMs ?? 1_000).unref();
  }

  async #round(batch: readonly Pending[]): Promise<void> {
    await this.#settleUnsure();
    if (this.#broken !== undefined) throw this.#broken;
    const { members, conflicts, deferred } = admit(batch, (id) => this.#reader.known(id));
    for (const pending of conflicts) pending.reject(conflict());
    await this.#commitMembers(members);
    this.#queue.unshift(...deferred);
  }

  async #commitMembers(first: readonly Pending[]): Promise<void> {
    let members = first;
    for (;;) {
      members = this.#without(members, (pending) => !isStillAllowed(pending));
      if (members.length === 0) return;
      let attempt: Attempt;
      try {
        attempt = this.#prepare(members);
      } catch (thrown) {
        for (const pending of members) pending.reject(thrown);
        return;
      }
      const result = await this.#store.commit(attempt.ops).catch((thrown: unknown) => toStoreError(thrown));
      if (result instanceof SpikeError) {
        await this.#fail(attempt, result);
        return;
      }
      if (result.ok) {
        this.#succeed(attempt);
        return;
      }
      const loser = attempt.owners[result.conflict];
      if (loser !== undefined) {
        this.#reader.forget(loser.ops);
        loser.reject(conflict());
        members = this.#without(members, (pending) => pending === loser);
      } else if (!(await this.#settleUnsure())) {
        this.#broken = broken('somebody else wrote to this store: stop them, then start again');
        throw this.#broken;
      }
    }
  }

  /**
   * Those who stay when some are out. Who was let in because of what one of these would have written is looked at anew:
   * whether his expectation holds may depend on others, who have not been committed yet.
   */
  #without(members: readonly Pending[], isOut: (pending: Pending) => boolean): readonly Pending[] {
    const staying = members.filter((pending) => !isOut(pending));
    if (staying.length === members.length) return members;
    const again = admit(staying, (id) => this.#reader.known(id));
    for (const pending of again.conflicts) pending.reject(conflict());
    this.#queue.unshift(...again.deferred);
    return again.members;
  }

  #prepare(members: readonly Pending[]): Attempt {
    return prepareAttempt(members, {
      vault: this.#vault,
      state: this.#state,
      digests: this.#digests,
      outbox: this.#outbox,
      audit: this.#options.audit,
    });
  }

  #succeed(attempt: Attempt): void {
    this.#unsure = [];
    this.#settle(attempt);
    for (const pending of attempt.members) pending.resolve();
  }

  #settle(attempt: Attempt): void {
    this.#state = attempt.state;
    for (const { digest, change } of attempt.changes) digest.apply(change);
    for (const pending of attempt.members) this.#reader.settle(pending.ops);
    this.#outbox.remove(attempt.removed);
    this.#track(attempt.records);
    this.#noteAnchor();
  }

  async #fail(attempt: Attempt, error: SpikeError): Promise<void> {
    const { members } = attempt;
    for (const pending of members) this.#reader.forget(pending.ops);
    if (error.code === 'data_invalid_input' && members.length > 1) {
      // One caller broke a limit of the store, which is no reason to refuse the others.
      for (const pending of members) await this.#commitMembers([pending]);
      return;
    }
    if (error.code !== 'store_failed' || error.detail['outcome'] === 'none') {
      for (const pending of members) pending.reject(error);
      return;
    }
    const committed = await this.#findCommitted([attempt]).catch(() => undefined);
    if (committed !== undefined) {
      this.#succeed(attempt);
      return;
    }
    this.#unsure = [...this.#unsure, attempt];
    for (const pending of members) pending.reject(storeFailed('the store failed', 'unknown', error));
  }

  /** Takes over the attempt of unknown outcome that the store turns out to hold; answers whether there was one. */
  async #settleUnsure(): Promise<boolean> {
    if (this.#unsure.length === 0) return false;
    const attempt = await this.#findCommitted(this.#unsure);
    if (attempt === undefined) return false;
    this.#unsure = [];
    this.#settle(attempt);
    for (const { drafts } of attempt.records) for (const draft of drafts) this.#options.late?.(draft);
    return true;
  }

  /** Throws SpikeError `store_failed` while the store can't tell, `store_integrity` when it holds what is not ours. */
  async #findCommitted(attempts: readonly Attempt[]): Promise<Attempt | undefined> {
    const row = await this.#store.get('state', stateKey(this.#vault)).catch((thrown: unknown) => {
      throw storeFailed('the store failed', 'none', thrown);
    });
    if (row?.revision === this.#state.revision) return undefined;
    const found = attempts.find(
      ({ stateRow }) => row !== undefined && same(row.nonce, stateRow.nonce) && same(row.body, stateRow.body),
    );
    if (found === undefined) {
      this.#broken = broken('the state record is one that this process did not write');
      throw this.#broken;
    }
    return found;
  }

  #track(rows: readonly OutboxRow[]): void {
    for (const { key, drafts } of rows) {
      this.#outbox.add(
        key,
        drafts.map(({ trail }) => trail),
      );
    }
  }

  #noteAnchor(): void {
    this.#options.anchorFile?.note(() => this.#lastAnchor ?? encodeAnchor(this.anchor()));
  }
}

function conflict(): SpikeError {
  return new SpikeError(
    'entity_version_conflict',
    'somebody else wrote first: read again, then decide again',
  );
}

function storeFailed(message: string, outcome: 'none' | 'unknown', cause?: unknown): SpikeError {
  return new SpikeError('store_failed', message, { detail: { outcome }, cause });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Whoever may not do it any more is told so alone. */
function isStillAllowed(pending: Pending): boolean {
  try {
    pending.check?.();
    return true;
  } catch (thrown) {
    pending.reject(thrown);
    return false;
  }
}
