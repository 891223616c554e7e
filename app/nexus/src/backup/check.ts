import type { BackupHeader, Frame, TableCount } from '@spike/backup';
import { SpikeError } from '@spike/error';
import type { Row, Table } from '@spike/store';
import { hashHead, type OpenInstance } from '../vault/instance.ts';
import { openState, stateKey } from '../vault/state.ts';
import { newestSplit, parseHead } from '../vault/head.ts';
import type { Finders } from './place.ts';

/** What a backup holds, told before anything is done with it. */
export interface BackupReport {
  /** SHA-256 of its content, in hex: its name. */
  readonly digest: string;
  readonly header: BackupHeader;
  readonly counts: readonly TableCount[];
  /** How many records opened, and lay where they belong. */
  readonly opened: number;
  /** Whether the backup is one that its instance made, and nothing was taken out of it or put in. */
  readonly isWhole: boolean;
  /** At most 100 of them. */
  readonly problems: readonly string[];
  /** What would come back to life, at most 1,000 names of each. */
  readonly policies: readonly string[];
  readonly administrators: readonly { readonly name: string; readonly isDisabled: boolean }[];
  readonly denials: readonly string[];
}

const mostProblems = 100;
const mostNames = 1_000;

/** Opens every record of a backup, and keeps none. */
export class BackupCheck {
  readonly #instance: OpenInstance;
  readonly #header: BackupHeader;
  readonly #headBytes: Uint8Array;
  readonly #finders: Finders;
  readonly #problems: string[] = [];
  readonly #policies: string[] = [];
  readonly #administrators: { name: string; isDisabled: boolean }[] = [];
  readonly #denials: string[] = [];
  #opened = 0;
  #states = 0;

  /** `instance` is the one that the backup is of; its keys stay its owner's. */
  constructor(options: {
    readonly instance: OpenInstance;
    readonly header: BackupHeader;
    readonly headBytes: Uint8Array;
    readonly finders: Finders;
  }) {
    this.#instance = options.instance;
    this.#header = options.header;
    this.#headBytes = options.headBytes;
    this.#finders = options.finders;
    this.#checkHead();
  }

  row(table: Table, row: Row): void {
    try {
      this.#open(table, row);
      this.#opened += 1;
    } catch (thrown) {
      if (!(thrown instanceof SpikeError)) throw thrown;
      this.#note(`a record of the table ${table} does not open, or is not where it belongs`);
    }
  }

  /** With the trailer, which is the last frame. */
  report({ trailer }: Frame & { kind: 'trailer' }): BackupReport {
    const { digest, counts } = trailer;
    const isWhole = this.#instance.anchors.verifyBackup(digest, trailer);
    if (!isWhole) this.#note('it is not as its instance made it: records were taken out, put in or mixed');
    if (this.#states !== 1) this.#note('it has no state record');
    return {
      digest: Buffer.from(digest).toString('hex'),
      header: this.#header,
      counts,
      opened: this.#opened,
      isWhole,
      problems: this.#problems,
      policies: this.#policies,
      administrators: this.#administrators,
      denials: this.#denials,
    };
  }

  /** The header lies in the clear; what it says has to be what the head says, which its manifests vouch for. */
  #checkHead(): void {
    const { instance, keyringEpoch, recovery } = this.#header;
    const head = parseHead(this.#headBytes);
    const split = newestSplit(head.splits, 'recovery');
    const same =
      head.instance === instance &&
      head.keyringEpoch === keyringEpoch &&
      split.threshold === recovery.threshold &&
      split.count === recovery.count &&
      split.generation === recovery.generation &&
      Buffer.concat(split.digests).equals(Buffer.concat(recovery.digests));
    if (!same) this.#note('its header says something else than the head of the store in it');
  }

  #open(table: Table, row: Row): void {
    const { vault } = this.#instance;
    if (table === 'state') {
      this.#checkState(row);
      return;
    }
    const plaintext = vault.open(table, row);
    try {
      const place = this.#finders[table]?.(plaintext, row);
      if (place === undefined) return;
      if (Buffer.compare(place.keyIn(vault), row.key) !== 0) {
        throw new SpikeError('store_integrity', 'a record lies in the place of another');
      }
      if (table === 'policy' && place.name !== undefined && this.#policies.length < mostNames) {
        this.#policies.push(place.name);
      }
      if (table === 'administrator' && place.name !== undefined && this.#administrators.length < mostNames) {
        this.#administrators.push({ name: place.name, isDisabled: place.isDisabled === true });
      }
      if (table === 'setting' && place.name !== undefined && this.#denials.length < mostNames) {
        this.#denials.push(place.name);
      }
    } finally {
      plaintext.fill(0);
    }
  }

  /** It names the head, so that a head of another time is found. */
  #checkState(row: Row): void {
    const { vault } = this.#instance;
    const state = openState(vault, row);
    const misplaced = Buffer.compare(row.key, stateKey(vault)) !== 0;
    const otherHead = Buffer.compare(state.head, hashHead(this.#headBytes)) !== 0;
    if (misplaced || otherHead || state.revision !== this.#header.revision) {
      throw new SpikeError('store_integrity', 'the state record is of another store');
    }
    this.#states += 1;
  }

  #note(problem: string): void {
    if (this.#problems.length < mostProblems) this.#problems.push(problem);
  }
}
