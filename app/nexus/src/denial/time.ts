import { AdminClock } from '../admin/clock.ts';
import { HighWater } from '../admin/high-water.ts';
import { commitPrepared } from '../admin/record-book.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import type { StoredTime } from './port.ts';

/** The time of the store where there is no second layer, which keeps the same otherwise. Throws SpikeError `store_integrity`. */
export async function openStoredTime(place: {
  readonly vault: Vault;
  readonly ledger: Ledger;
}): Promise<StoredTime> {
  const highWater = await HighWater.load(place);
  // Jumps are told of by whoever watches the wall clock.
  const clock = new AdminClock({ highWater: highWater.atStart, onStep: () => undefined });
  return {
    clock,
    commit: async (prepared, origin = {}) =>
      await commitPrepared(place.ledger, [...prepared, highWater.prepare(clock)], origin, []),
  };
}
