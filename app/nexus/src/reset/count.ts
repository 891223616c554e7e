import type { ResetCounts } from '@spike/reset';
import type { Table } from '@spike/store';
import { pagesOf } from '../vault/page.ts';
import type { Ledger } from '../vault/port.ts';

/** How many of each there are. Reads every row of these tables, page by page; throws the signal's reason. */
export async function countRecords(ledger: Pick<Ledger, 'list'>, signal: AbortSignal): Promise<ResetCounts> {
  const count = async (table: Table): Promise<number> => {
    let total = 0;
    for await (const { length } of pagesOf(ledger, table, signal)) total += length;
    return total;
  };
  return {
    secrets: await count('secret'),
    versions: await count('secret_version'),
    policies: await count('policy'),
    administrators: await count('administrator'),
  };
}
