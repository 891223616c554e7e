import { setImmediate } from 'node:timers/promises';
import { SpikeError } from '@spike/error';
import type { Op, Row, Store, Table } from '@spike/store';
import type { OpenInstance } from '../vault/instance.ts';
import type { GroupLedger } from '../vault/ledger.ts';
import type { Origin } from '../vault/port.ts';
import { pagesOf } from '../vault/page.ts';
import { keyringForRestore } from './keyring.ts';
import { RestoreMarkPlace, type RestoreMark } from './mark.ts';
import type { BackupBook } from './note.ts';
import type { Finders } from './place.ts';
import type { BackupReading } from './reading.ts';

export interface RestoreOptions {
  readonly store: Store;
  readonly ledger: GroupLedger;
  readonly instance: OpenInstance;
  readonly book: BackupBook;
  readonly finders: Finders;
  /** Undefined where none is under way. */
  readonly mark: RestoreMark | undefined;
  readonly now?: () => number;
}

export interface Restored {
  readonly digest: string;
  readonly instance: string;
  readonly records: number;
}

/** What a restore takes away before it brings the backup's own, in an order in which nothing lies without its head. */
const emptied: readonly Table[] = ['policy', 'secret', 'secret_version'];
const rowsPerDelete = 2_000;
/** They are read before, and a version may have some mebibytes. */
const bytesPerDelete = 4 * 1024 * 1024;
/** One request takes so long at most; whoever asks, asks again. */
const clearMs = 5_000;
const mostAdministrators = 10_000;
const mostAdministratorBytes = 32 * 1024 * 1024;

/** One pass over the backup, which brings its records back. */
interface Pass {
  readonly reading: BackupReading;
  readonly mark: RestoreMark;
  /** The running instance with the keyring of this restore. */
  readonly target: OpenInstance;
  /** Sealed anew, and not committed yet. */
  readonly pending: Op[];
  /** They come last, in the transaction that ends the restore. */
  readonly administrators: Row[];
  administratorBytes: number;
  /** Denials that were here before: none is replaced by an older one of the same ID. */
  readonly settings: ReadonlySet<string>;
  records: number;
}

/**
 * Brings the records of a backup back into the running instance: each is opened with the backup's keys and sealed anew
 * under those that are here (doc/decision/0010). A mark in the store says that it is under way; until it is through, or
 * taken back, nothing else is served. Whatever stops it, it is begun again with the same backup.
 */
export class BackupRestorer implements Disposable {
  readonly #options: RestoreOptions;
  readonly #places: RestoreMarkPlace;
  #mark: RestoreMark | undefined;
  #pass: Pass | undefined;
  /** Committed, and the instance is still to be opened with it. */
  #over = false;

  constructor(options: RestoreOptions) {
    this.#options = options;
    this.#places = new RestoreMarkPlace(options.instance.vault);
    this.#mark = options.mark;
  }

  /** As long as it is there nothing else is served. */
  get mark(): RestoreMark | undefined {
    return this.#mark;
  }

  /**
   * Marks the store, and takes away what is in it; answers whether that is done, and is asked again otherwise. Throws
   * SpikeError `entity_version_conflict` for a store with secrets or policies in it, unless they may be replaced, and
   * while the restore of another backup is under way.
   */
  async start(
    reading: BackupReading,
    options: { readonly replace: boolean; readonly by: string },
    origin: () => Origin,
  ): Promise<{ readonly cleared: boolean }> {
    const { report } = reading;
    if (report === undefined)
      throw new SpikeError('state_not_ready', 'the backup was not read to its end yet');
    if (report.problems.length > 0) {
      throw new SpikeError(
        'data_invalid_input',
        'the backup is not whole, and nothing was changed: use another one',
      );
    }
    if (this.#over) throw new SpikeError('state_not_ready', 'a restore has just ended, and is being opened');
    if (this.#mark === undefined) await this.#begin(reading, options, origin);
    else if (this.#mark.digest !== report.digest) throw otherRestore(this.#mark);
    const mark = this.#mark;
    if (mark === undefined) throw new SpikeError('api_internal_error', 'a restore has no mark');
    if (!(await this.#clear(origin))) return { cleared: false };
    this.#pass?.target[Symbol.dispose]();
    reading.rewind();
    this.#pass = {
      reading,
      mark,
      target: await this.#openTarget(),
      pending: [],
      administrators: [],
      administratorBytes: 0,
      settings: await this.#readSettings(),
      records: 0,
    };
    return { cleared: true };
  }

  /** Takes the next bytes of the second pass. What a failed commit left is committed first. */
  async feed(reading: BackupReading, offset: number, data: Uint8Array, origin: () => Origin): Promise<void> {
    const pass = this.#passOf(reading);
    await this.#flush(pass, origin);
    await reading.feed(offset, data, ({ table, row }) => this.#take(pass, table, row));
    await this.#flush(pass, origin);
  }

  /**
   * The last transaction: administrators, and the mark goes. `keep` is the row of the administrator who restores: his
   * stays as it is. The instance has to be opened anew afterwards. Throws `data_invalid_input` when the second pass was
   * not through the very same backup.
   */
  async finish(
    reading: BackupReading,
    keep: Uint8Array | undefined,
    origin: () => Origin,
  ): Promise<Restored> {
    const { ledger, book, now = Date.now } = this.#options;
    const pass = this.#passOf(reading);
    const { mark } = pass;
    if (reading.restoredDigest !== mark.digest) {
      throw new SpikeError(
        'data_invalid_input',
        'the backup did not come to its end: begin the restore again',
      );
    }
    await this.#flush(pass, origin);
    const restored = { at: now(), instance: mark.instance, digest: mark.digest };
    const ops = [
      ...(await this.#administratorOps(pass, keep)),
      await book.restoredOp(restored),
      this.#places.removeOp(),
    ];
    await ledger.commit(ops, origin());
    this.#over = true;
    return { digest: mark.digest, instance: mark.instance, records: pass.records };
  }

  /** Takes a restore back: the store is empty then. True when that is done; asked again otherwise. */
  async abort(origin: () => Origin): Promise<boolean> {
    const { ledger } = this.#options;
    if (this.#mark === undefined) throw new SpikeError('api_not_found', 'no restore is under way');
    this.#pass?.target[Symbol.dispose]();
    this.#pass = undefined;
    if (!(await this.#clear(origin))) return false;
    await ledger.commit([this.#places.removeOp()], origin());
    this.#over = true;
    return true;
  }

  [Symbol.dispose](): void {
    this.#pass?.target[Symbol.dispose]();
    this.#pass = undefined;
  }

  async #begin(
    reading: BackupReading,
    { replace, by }: { readonly replace: boolean; readonly by: string },
    origin: () => Origin,
  ): Promise<void> {
    const { store, ledger, instance, now = Date.now } = this.#options;
    if (!replace && !(await this.#isEmpty())) {
      throw new SpikeError(
        'entity_version_conflict',
        'there are secrets or policies here, and a restore replaces all of them: take a backup first, then say --replace',
      );
    }
    const head = await store.head();
    if (head === undefined) throw new SpikeError('store_missing', 'the store is empty');
    using current = instance.reopen(head.bytes);
    const changed = keyringForRestore(current, reading.backup.cipherKeys);
    changed.instance[Symbol.dispose]();
    const mark = {
      digest: reading.report?.digest ?? '',
      instance: reading.header.instance,
      createdAt: reading.header.createdAt,
      startedAt: now(),
      by,
    };
    const expect = { revision: head.revision };
    const headOp: Op = { kind: 'head', bytes: changed.bytes, revision: head.revision + 1, expect };
    await ledger.commit([headOp, this.#places.putOp(mark)], origin());
    this.#mark = mark;
  }

  /** With the keyring that was committed with the mark, which this process, or one before it, wrote. */
  async #openTarget(): Promise<OpenInstance> {
    const { store, instance } = this.#options;
    const head = await store.head();
    if (head === undefined) throw new SpikeError('store_missing', 'the store is empty');
    return instance.reopen(head.bytes);
  }

  async #isEmpty(): Promise<boolean> {
    for (const table of ['secret', 'policy'] as const) {
      if ((await this.#options.ledger.list(table, new Uint8Array(), { limit: 1 })).length > 0) return false;
    }
    return true;
  }

  async #readSettings(): Promise<ReadonlySet<string>> {
    const { ledger } = this.#options;
    const found = new Set<string>();
    for await (const rows of pagesOf(ledger, 'setting', AbortSignal.timeout(clearMs)))
      for (const { key } of rows) found.add(toHex(key));
    return found;
  }

  async #clear(origin: () => Origin): Promise<boolean> {
    const { ledger } = this.#options;
    const end = performance.now() + clearMs;
    for (const table of emptied) {
      for (;;) {
        const rows = await ledger.list(table, new Uint8Array(), {
          limit: rowsPerDelete,
          bytes: bytesPerDelete,
        });
        if (rows.length === 0) break;
        if (performance.now() > end) return false;
        const ops = rows.map(({ key }): Op => ({ kind: 'delete', table, key, expect: 'any' }));
        await ledger.commit(ops, origin());
        await setImmediate();
      }
    }
    return true;
  }

  #take(pass: Pass, table: Table, row: Row): void {
    const finder = this.#options.finders[table];
    if (finder === undefined) return;
    const { vault } = pass.reading.backup.instance;
    const plaintext = vault.open(table, row);
    try {
      const key = finder(plaintext, row)?.keyIn(pass.target.vault);
      if (key === undefined || (table === 'setting' && pass.settings.has(toHex(key)))) return;
      const { revision, version, field } = row;
      const sealed = pass.target.vault.seal(table, key, { revision, version, field }, plaintext);
      pass.records += 1;
      if (table === 'administrator') addAdministrator(pass, sealed);
      else pass.pending.push({ kind: 'put', table, row: sealed, expect: 'any' });
    } finally {
      plaintext.fill(0);
    }
  }

  async #flush(pass: Pass, origin: () => Origin): Promise<void> {
    if (pass.pending.length === 0) return;
    await this.#options.ledger.commit([...pass.pending], origin());
    pass.pending.length = 0;
  }

  /** The backup's, in the place of those that are here; but for the one who restores. */
  async #administratorOps(pass: Pass, keep: Uint8Array | undefined): Promise<readonly Op[]> {
    const { ledger } = this.#options;
    const isKept = (key: Uint8Array): boolean => keep !== undefined && Buffer.compare(key, keep) === 0;
    const wanted = pass.administrators.filter(({ key }) => !isKept(key));
    const coming = new Set(wanted.map(({ key }) => toHex(key)));
    const here = await ledger.list('administrator', new Uint8Array(), { limit: mostAdministrators });
    // Without any in the backup those that are here stay: somebody has to be able to log in.
    const leaving = pass.administrators.length === 0 ? [] : here;
    return [
      ...leaving
        .filter(({ key }) => !isKept(key) && !coming.has(toHex(key)))
        .map(({ key }): Op => ({ kind: 'delete', table: 'administrator', key, expect: 'any' })),
      ...wanted.map((row): Op => ({ kind: 'put', table: 'administrator', row, expect: 'any' })),
    ];
  }

  #passOf(reading: BackupReading): Pass {
    if (this.#pass?.reading === reading && !this.#over) return this.#pass;
    throw new SpikeError('state_not_ready', 'this restore was not begun, or another one took its place');
  }
}

function toHex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}

function addAdministrator(pass: Pass, row: Row): void {
  pass.administratorBytes += row.body.byteLength;
  if (pass.administrators.length >= mostAdministrators || pass.administratorBytes > mostAdministratorBytes) {
    throw new SpikeError(
      'data_invalid_input',
      'the backup has more administrators than can be restored at once',
    );
  }
  pass.administrators.push(row);
}

function otherRestore(mark: RestoreMark): SpikeError {
  return new SpikeError(
    'entity_version_conflict',
    `the restore of another backup is under way, of instance ${mark.instance} and ${new Date(mark.createdAt).toISOString()}: ` +
      'go on with that file, or take it back with `spike backup restore --abort`',
  );
}
