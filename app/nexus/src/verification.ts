import type { AuditFile } from '@spike/audit';
import { tables, type Row, type Store, type Table } from '@spike/store';
import type { AlertPort } from './alert/port.ts';
import { pagesOf } from './vault/page.ts';
import type { Ledger, Vault } from './vault/port.ts';

export interface Verification {
  readonly ok: boolean;
  readonly checked: number;
  readonly problems: string[];
}

export interface VerificationOptions {
  readonly store: Pick<Store, 'verify'>;
  readonly audit: Pick<AuditFile, 'verify'>;
  readonly ledger: Pick<Ledger, 'list'>;
  readonly vault: Pick<Vault, 'open'>;
  readonly alerts: AlertPort;
  /** Records change under the eyes of whoever looks as long as a backup is restored. */
  readonly isRestoring: () => boolean;
}

const mostProblems = 100;
const sealedTables: readonly Table[] = tables.filter((table) => table !== 'state');

/**
 * Opens every record of the store and hashes every line of the audit; `pace` is waited for between two pages. Throws
 * SpikeError `store_failed`, and the signal's reason.
 */
export async function verifyEverything(
  { store, audit, ledger, vault, alerts, isRestoring }: VerificationOptions,
  signal: AbortSignal,
  pace: () => Promise<void>,
): Promise<Verification> {
  if (isRestoring()) return underRestore;
  const ofStore = (await store.verify(signal)).problems;
  const ofAudit = (await audit.verify(signal)).ok ? [] : ['the audit is not the one that was written'];
  const ofRecords: string[] = [];
  let checked = 0;
  for (const table of sealedTables) {
    for await (const rows of pagesOf(ledger, table, signal)) {
      checked += rows.length;
      const closed = rows.filter((row) => ofRecords.length < mostProblems && !opens(vault, table, row));
      ofRecords.push(...closed.map(() => `a record of the table ${table} does not open`));
      await pace();
      signal.throwIfAborted();
    }
  }
  // One that began meanwhile is why records did not open.
  if (isRestoring()) return underRestore;
  if (ofAudit.length > 0)
    alerts.raise({ kind: 'audit_chain_broken', message: 'a line of the audit was changed' });
  const count = ofStore.length + ofRecords.length;
  if (count > 0) {
    const message = `a full check of the store found ${count} problems`;
    alerts.raise({ kind: 'store_integrity', subject: 'check', message });
  }
  const problems = [...ofStore, ...ofAudit, ...ofRecords.slice(0, mostProblems)];
  return { ok: problems.length === 0, checked, problems };
}

const underRestore: Verification = {
  ok: false,
  checked: 0,
  problems: ['a backup is being restored: look again when it is through'],
};

function opens(vault: Pick<Vault, 'open'>, table: Table, row: Row): boolean {
  try {
    vault.open(table, row).fill(0);
    return true;
  } catch {
    return false;
  }
}
