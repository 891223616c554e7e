import type { NexusTable, OutputOf } from '@spike/contract';
import { historyKinds } from './port.ts';
import type { HistoryEntry } from './service.ts';

/** A change of the state as the wire has it. */
export function describeEntry(entry: HistoryEntry): OutputOf<NexusTable['listHistory']>['entries'][number] {
  const { id, kind, at, detail } = entry;
  return { id, kind, says: historyKinds[kind], at: new Date(at).toISOString(), detail: { ...detail } };
}
