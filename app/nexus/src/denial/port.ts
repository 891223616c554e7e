import type { Prepared } from '../admin/record-book.ts';
import type { HistoryPort } from '../history/port.ts';
import type { Journal } from '../breakglass/journal.ts';
import type { Ledger, Origin, Vault } from '../vault/port.ts';
import type { RoleBook } from '@spike/server';
import type { SpiffeId } from '@spike/spiffe';

/** The time by which denials end, which is stored with every change of them. */
export interface StoredTime {
  readonly clock: {
    now(): number;
    toWall(time: number): number;
    readonly highWater: number;
  };
  /** All of it with the time, or nothing. Throws what the ledger throws. */
  commit(prepared: readonly Prepared[], origin?: Origin): Promise<void>;
}

/** Told at once; never throws. */
export interface DenialAlerts {
  raise(alert: {
    readonly kind: 'denial_changed';
    readonly subject: string;
    readonly message: string;
    readonly detail: Readonly<Record<string, string | number | boolean>>;
  }): void;
}

export interface DenialSettings {
  readonly roles: RoleBook;
  readonly alerts: DenialAlerts;
  /** Cuts the connections of whoever is meant; answers how many. */
  readonly cut: (isMeant: (id: SpiffeId) => boolean) => number;
}

export interface DenialOptions extends DenialSettings {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly time: StoredTime;
  readonly journal: Journal;
  readonly history: HistoryPort;
  /** Milliseconds since 1970, of the wall clock. */
  readonly wall?: () => number;
  /** For tests. */
  readonly most?: number;
}
