import { damaged, decodeRecord, encodeRecord, readNumber } from '../service/record.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import type { AdminClock } from './clock.ts';
import type { Prepared } from './record-book.ts';

const segments = ['clock', 'high-water'];

/** The highest time of the clock of sessions, in the store: goes with every transaction of the second layer. */
export class HighWater {
  readonly #vault: Vault;
  readonly #key: Uint8Array;
  /** Milliseconds since 1970; 0 when there is none. */
  readonly atStart: number;
  #revision: number;

  private constructor(vault: Vault, atStart: number, revision: number) {
    this.#vault = vault;
    this.#key = vault.key('setting', segments);
    this.atStart = atStart;
    this.#revision = revision;
  }

  /** Throws SpikeError `store_integrity`. */
  static async load({ vault, ledger }: { vault: Vault; ledger: Ledger }): Promise<HighWater> {
    const row = await ledger.get('setting', vault.key('setting', segments));
    if (row === undefined) return new HighWater(vault, 0, 0);
    const at = readNumber(decodeRecord(vault.open('setting', row)), 'at');
    if (row.revision === 0) throw damaged('the stored time has no revision');
    return new HighWater(vault, at, row.revision);
  }

  /** Whoever commits last wins: the clock goes only forward, so that is the highest. */
  prepare(clock: AdminClock): Prepared {
    const at = clock.now();
    this.#revision += 1;
    const meta = { revision: this.#revision, version: 0, field: 0 };
    const row = this.#vault.seal('setting', this.#key, meta, encodeRecord({ at }));
    return {
      ops: [{ kind: 'put', table: 'setting', row, expect: 'any' }],
      apply: () => clock.stored(at),
      doubt: () => undefined,
    };
  }
}
