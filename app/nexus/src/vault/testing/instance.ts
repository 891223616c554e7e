import { createHash } from 'node:crypto';

import { Polynomial, RootKey } from '@spike/crypto';
import { SpikeError, type ErrorCode } from '@spike/error';
import { openMemoryStore, type Store } from '@spike/store';

import { createInstance, newInstanceId, type OpenInstance } from '../instance.ts';
import { openLedger, type AuditPosition, type GroupLedger, type LedgerOptions } from '../ledger.ts';
import type { AuditDraft } from '../port.ts';

export interface TestInstance {
  readonly rootKey: RootKey;
  readonly store: Store;
  readonly instance: OpenInstance;
  readonly audit: { -readonly [K in keyof AuditPosition]: AuditPosition[K] };
}

/** Root of an empty RFC 6962 tree. */
export const emptyRoot = createHash('sha256').digest();

/** A new instance (2 of 3 for Keepers, 3 of 5 for recovery) in this store. */
export async function createTestInstance(
  store: Store = openMemoryStore(),
  record?: AuditDraft,
): Promise<TestInstance> {
  const rootKey = RootKey.generate();
  const audit = { syncedSize: 0, syncedRoot: emptyRoot };
  const made = createInstance({
    rootKey,
    id: newInstanceId(),
    keeper: { polynomial: Polynomial.random(rootKey, 2), count: 3 },
    recovery: { polynomial: Polynomial.random(rootKey, 3), count: 5 },
    audit,
    ...(record === undefined ? {} : { record }),
  });
  const result = await store.commit(made.ops);
  if (!result.ok) throw new Error('the store is not empty');
  return { rootKey, store, instance: made.instance, audit };
}

export function openTestLedger(
  { store, instance, audit }: TestInstance,
  options: Partial<LedgerOptions> = {},
): Promise<GroupLedger> {
  // Faults are counted by look-ups: none comes by itself unless a test wants it.
  return openLedger({ store, instance, audit, anchors: [], lookAgainMs: 3_600_000, ...options });
}

export function hasCode(code: ErrorCode): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof SpikeError && thrown.code === code;
}
