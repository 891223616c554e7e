import { setImmediate } from 'node:timers/promises';
import type { Row, Table } from '@spike/store';
import type { Ledger } from './port.ts';

const rows = 200;
/** A row alone may have some mebibytes. */
const bytes = 1024 * 1024;

/**
 * All rows of a table, in memory for one page, and with room for other work between two of them: a store answers in the
 * turn in which it is asked, so whoever walks through a table without this holds up every request, and the withdrawal of
 * our identity. Throws SpikeError `store_failed`, and the signal's reason.
 */
export async function* pagesOf(
  ledger: Pick<Ledger, 'list'>,
  table: Table,
  signal: AbortSignal,
): AsyncGenerator<readonly Row[], void, undefined> {
  for (let after: Uint8Array | undefined; ;) {
    signal.throwIfAborted();
    const page = { limit: rows, bytes, ...(after === undefined ? {} : { after }) };
    const found = await ledger.list(table, new Uint8Array(0), page);
    after = found.at(-1)?.key;
    if (after === undefined) return;
    yield found;
    await setImmediate();
  }
}
