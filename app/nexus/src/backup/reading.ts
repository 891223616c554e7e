import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { BackupParser, damagedBackup, type BackupHeader, type Frame } from '@spike/backup';
import type { Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { Turns } from '../turn.ts';
import type { OpenInstance } from '../vault/instance.ts';
import { BackupCheck, type BackupReport } from './check.ts';
import { BackupShares, idleMs, longestMs, type OpenBackup } from './open.ts';
import type { Finders } from './place.ts';

export type Purpose = 'verify' | 'restore';

/** Records that lie open between two looks at other work: some milliseconds. */
const rowsPerTurn = 100;

/**
 * A backup that somebody sends, from its first byte to its last: once to open every record, and for a restore once more
 * to bring them back. It holds the keys of the backup and forgets them when it is disposed, after 15 minutes in which nothing
 * new came, and after 12 hours in any case.
 */
export class BackupReading implements Disposable {
  readonly id = randomUUID();
  readonly owner: string;
  readonly purpose: Purpose;
  readonly header: BackupHeader;
  readonly #headBytes: Uint8Array;
  readonly #start: Uint8Array;
  readonly #finders: Finders;
  readonly #shares: BackupShares | undefined;
  readonly #onOver: () => void;
  #own: OpenBackup | undefined;
  #instance: OpenInstance | undefined;
  #parser = new BackupParser();
  #check: BackupCheck | undefined;
  #report: BackupReport | undefined;
  /** Of the second pass. */
  #digest: string | undefined;
  #idle: NodeJS.Timeout | undefined;
  #longest: NodeJS.Timeout | undefined;
  readonly #turns = new Turns();
  #disposed = false;

  /**
   * `start` is the backup up to the end of its head. `instance` opens it without shares: the running one, to verify its
   * own backups. Throws SpikeError `data_invalid_input` and `store_integrity`.
   */
  constructor(options: {
    readonly owner: string;
    readonly purpose: Purpose;
    readonly start: Uint8Array;
    readonly instance: OpenInstance | undefined;
    readonly finders: Finders;
    /** Its time is over. */
    readonly onOver: () => void;
  }) {
    this.owner = options.owner;
    this.purpose = options.purpose;
    this.#start = options.start;
    this.#finders = options.finders;
    this.#onOver = options.onOver;
    const { header, headBytes } = this.#readStart(this.#parser);
    this.header = header;
    this.#headBytes = headBytes;
    this.#instance = options.instance;
    if (options.instance === undefined) this.#shares = new BackupShares(headBytes);
    else this.#beginCheck(options.instance);
    this.#longest = setTimeout(this.#onOver, longestMs).unref();
    this.#stayAlive();
  }

  /** How many shares are still needed. */
  get remaining(): number {
    return this.#instance === undefined ? (this.#shares?.remaining ?? 0) : 0;
  }

  get collected(): number {
    return this.#shares?.collected ?? 0;
  }

  /** How many bytes of this pass are here. */
  get offset(): number {
    return this.#parser.bytes;
  }

  /** When every record was looked at. */
  get report(): BackupReport | undefined {
    return this.#report;
  }

  /** Of the pass that brings the records back, when it is through. */
  get restoredDigest(): string | undefined {
    return this.#digest;
  }

  /** Throws SpikeError `state_not_ready` before the shares are here. */
  get backup(): OpenBackup {
    if (this.#own !== undefined) return this.#own;
    throw new SpikeError('state_not_ready', 'the backup is not open: bring recovery shares of its instance');
  }

  /** Answers whether this share was here before; with the last that is needed the keyring opens, and shares are forgotten. */
  takeShare(share: Share): boolean {
    if (this.#shares === undefined || this.#instance !== undefined) {
      share[Symbol.dispose]();
      throw new SpikeError('api_bad_request', 'this backup needs no further share');
    }
    const isRepeated = this.#shares.take(share);
    if (!isRepeated) this.#stayAlive();
    if (this.#shares.remaining > 0) return isRepeated;
    try {
      this.#own = this.#shares.open();
    } finally {
      this.#shares[Symbol.dispose]();
    }
    this.#instance = this.#own.instance;
    this.#beginCheck(this.#own.instance);
    return isRepeated;
  }

  /**
   * Takes the bytes behind `offset`; those that were sent before are passed over. `onRow` gets the records of the second
   * pass. Throws SpikeError `data_invalid_input` for a gap and for what is no backup.
   */
  async feed(
    offset: number,
    data: Uint8Array,
    onRow: (frame: Frame & { kind: 'row' }) => void,
  ): Promise<void> {
    await this.#turns.run(() => this.#feed(offset, data, onRow));
  }

  /** The second pass: from the first byte behind the head. */
  rewind(): void {
    this.#parser = new BackupParser();
    this.#digest = undefined;
    this.#readStart(this.#parser);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#longest);
    this.#disposed = true;
    this.#shares?.[Symbol.dispose]();
    this.#own?.[Symbol.dispose]();
  }

  async #feed(
    offset: number,
    data: Uint8Array,
    onRow: (frame: Frame & { kind: 'row' }) => void,
  ): Promise<void> {
    this.#assertAlive();
    if (this.#instance === undefined) {
      throw new SpikeError('state_not_ready', 'bring recovery shares of the backup first');
    }
    const known = this.#parser.bytes;
    if (offset > known || offset + data.length < known) {
      throw new SpikeError('data_invalid_input', `the next byte of this backup is ${known}`);
    }
    const further = data.subarray(known - offset);
    // What says nothing is no sign of life: it would keep the keys here for good.
    if (further.length > 0) this.#stayAlive();
    let rows = 0;
    for (const frame of this.#parser.push(further)) {
      if (frame.kind === 'row') {
        if (this.#report === undefined) this.#check?.row(frame.table, frame.row);
        else onRow(frame);
        rows += 1;
        if (rows % rowsPerTurn === 0) {
          await setImmediate();
          this.#assertAlive();
        }
      } else if (frame.kind === 'trailer') {
        if (this.#report === undefined) this.#report = this.#check?.report(frame);
        else this.#digest = Buffer.from(frame.trailer.digest).toString('hex');
      }
    }
  }

  #beginCheck(instance: OpenInstance): void {
    this.#check = new BackupCheck({
      instance,
      header: this.header,
      headBytes: this.#headBytes,
      finders: this.#finders,
    });
  }

  #readStart(parser: BackupParser): { readonly header: BackupHeader; readonly headBytes: Uint8Array } {
    const [first, second, ...rest] = [...parser.push(this.#start)];
    if (first?.kind !== 'header' || second?.kind !== 'head' || rest.length > 0) {
      throw damagedBackup('its beginning is not a header and a head');
    }
    return { header: first.header, headBytes: second.bytes };
  }

  #assertAlive(): void {
    if (!this.#disposed) return;
    throw new SpikeError('api_not_found', 'this backup was put away: begin again');
  }

  #stayAlive(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(this.#onOver, idleMs).unref();
  }
}
