import type { Secret } from '@spike/crypto';
import type { Ledger, Origin, Vault } from '../vault/port.ts';
import {
  administratorBook,
  decodeAdministrator,
  encodeAdministrator,
  type AdministratorRecord,
} from './administrator-record.ts';
import { AttemptBook } from './attempt-book.ts';
import type { AttemptRules } from './attempt-rule.ts';
import { AdminClock } from './clock.ts';
import { HighWater } from './high-water.ts';
import { commitPrepared, RecordBook, type Prepared } from './record-book.ts';
import { decodeSetting, encodeSetting, type Setting, type SettingKind } from './setting-record.ts';

export interface BookSetOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly key: Secret;
  readonly attemptRules?: AttemptRules;
  /** The clock that goes on from the highest time in the store. */
  readonly openClock: (highWater: number) => AdminClock;
}

/** All that the second layer stores, in memory and in the store, and the one way to change several of it at once. */
export class BookSet {
  readonly administrators: RecordBook<AdministratorRecord>;
  readonly attempts: AttemptBook;
  readonly clock: AdminClock;
  readonly #settings: RecordBook<Setting>;
  readonly #highWater: HighWater;
  readonly #ledger: Ledger;

  private constructor(
    ledger: Ledger,
    administrators: RecordBook<AdministratorRecord>,
    settings: RecordBook<Setting>,
    attempts: AttemptBook,
    time: { readonly clock: AdminClock; readonly highWater: HighWater },
  ) {
    this.#ledger = ledger;
    this.administrators = administrators;
    this.#settings = settings;
    this.attempts = attempts;
    this.clock = time.clock;
    this.#highWater = time.highWater;
  }

  /** Throws SpikeError `store_integrity` when something of it does not open: an administrator who is left out is a changed rule. */
  static async load(options: BookSetOptions, signal?: AbortSignal): Promise<BookSet> {
    const { vault, ledger, key, attemptRules } = options;
    const administrators = await RecordBook.load<AdministratorRecord>(
      {
        vault,
        ledger,
        table: 'administrator',
        book: administratorBook,
        segmentsOf: ({ name }) => [name],
        encode: encodeAdministrator,
        decode: decodeAdministrator,
      },
      signal,
    );
    const settings = await RecordBook.load<Setting>(
      {
        vault,
        ledger,
        table: 'setting',
        book: 'access',
        segmentsOf: ({ kind }) => [kind],
        encode: encodeSetting,
        decode: decodeSetting,
      },
      signal,
    );
    const attempts = await AttemptBook.load(
      { vault, ledger, key, ...(attemptRules === undefined ? {} : { rules: attemptRules }) },
      signal,
    );
    const highWater = await HighWater.load({ vault, ledger });
    const clock = options.openClock(Math.max(highWater.atStart, attempts.newest));
    return new BookSet(ledger, administrators, settings, attempts, { clock, highWater });
  }

  setting<Kind extends SettingKind>(kind: Kind): Extract<Setting, { kind: Kind }> | undefined {
    const found = this.#settings.get([kind]);
    return found?.kind === kind ? (found as Extract<Setting, { kind: Kind }>) : undefined;
  }

  prepareSetting(setting: Setting): Prepared {
    return this.#settings.prepare([{ segments: [setting.kind], value: setting }]);
  }

  prepareNoSetting(kind: SettingKind): Prepared {
    return this.#settings.prepare([{ segments: [kind], value: undefined }]);
  }

  administrator(name: string): AdministratorRecord | undefined {
    return this.administrators.get([name]);
  }

  prepareAdministrator(record: AdministratorRecord): Prepared {
    return this.administrators.prepare([{ segments: [record.name], value: record }]);
  }

  /** All of it with the time, or nothing. Throws what the ledger throws. */
  async commit(prepared: readonly Prepared[], origin: Origin = {}): Promise<void> {
    const all = [...prepared, this.#highWater.prepare(this.clock)];
    await commitPrepared(this.#ledger, all, origin, [this.administrators, this.#settings]);
  }

  /** Before a decision: what an earlier commit left open is looked up. Throws SpikeError `store_failed`. */
  async settle(): Promise<void> {
    await this.administrators.settle();
    await this.#settings.settle();
  }
}
