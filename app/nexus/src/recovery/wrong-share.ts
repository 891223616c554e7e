import type { Log } from '@spike/log';
import type { AlertPort } from '../alert/port.ts';

/** Who brings shares that the root key is put together from. */
export type ShareSource = 'keepers' | 'restore';

/** Tells of shares that are not of the root key: in the log and as an alert. */
export class WrongShares {
  readonly #log: Log;
  readonly #alerts: AlertPort;
  #told = '';

  constructor(log: Log, alerts: AlertPort) {
    this.#log = log;
    this.#alerts = alerts;
  }

  /** Once, until others are wrong. */
  report(from: ShareSource, ids: readonly number[]): void {
    const told = `${from} ${ids.join()}`;
    if (told === this.#told) return;
    this.#told = told;
    for (const id of ids) {
      this.#log.error('recovery.bad_share', { from, id });
      const who = from === 'keepers' ? 'a Keeper' : 'a person';
      this.#raise(id, `share ${id}, which ${who} brought, is not of this root key`);
    }
  }

  /** Keepers that hold other shares than those of the Bootstrap. */
  reportKeepers(keepers: readonly number[]): void {
    for (const keeper of keepers) {
      this.#log.error('keeper.bad_share', { keeper });
      this.#raise(keeper, `Keeper ${keeper} holds a share that Bootstrap did not give it`);
    }
  }

  #raise(id: number, message: string): void {
    this.#alerts.raise({ kind: 'keeper_bad_share', subject: String(id), message, detail: { share: id } });
  }
}
