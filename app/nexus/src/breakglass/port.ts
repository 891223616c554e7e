import type { AdministratorRole } from '@spike/contract';
import type { BookSet } from '../admin/book-set.ts';
import type { EmergencyAlerts } from '../approval/port.ts';
import type { HistoryPort } from '../history/port.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import type { Journal } from './journal.ts';
import type { AuditLines } from './report.ts';

/** Who acts, as the guard found out. */
export interface Actor {
  readonly name: string;
  readonly role: AdministratorRole;
}

export interface BreakglassOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly books: BookSet;
  readonly alerts: EmergencyAlerts;
  readonly audit: AuditLines;
  readonly journal: Journal;
  readonly history: HistoryPort;
  /** For how long one waits for an approval, before it opens without. */
  readonly delayMs: number;
  readonly wall?: () => number;
}
