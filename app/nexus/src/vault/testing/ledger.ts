import assert from 'node:assert/strict';

import { openMemoryStore, type Expect, type Op, type Table } from '@spike/store';

import type { GroupLedger } from '../ledger.ts';
import type { AuditDraft, Vault } from '../port.ts';
import { FaultyStore } from './faulty-store.ts';
import { createTestInstance, openTestLedger, type TestInstance } from './instance.ts';

export interface Fixture extends TestInstance {
  readonly store: FaultyStore;
  readonly ledger: GroupLedger;
  readonly vault: Vault;
}

export async function openFixture(): Promise<Fixture> {
  const made = await createTestInstance(new FaultyStore(openMemoryStore()));
  const { store } = made;
  assert.ok(store instanceof FaultyStore);
  store.committed.length = 0;
  return { ...made, store, ledger: await openTestLedger(made), vault: made.instance.vault };
}

export function put(
  vault: Vault,
  name: string,
  revision: number,
  expect: Expect,
  table: Table = 'secret',
): Op {
  const key = vault.key(table, ['t', name]);
  const row = vault.seal(table, key, { revision, version: 0, field: 0 }, Buffer.from(`${name}@${revision}`));
  return { kind: 'put', table, row, expect };
}

export const draft = (trail: string): AuditDraft => ({
  trail,
  record: JSON.stringify({ trail, action: 'secret.put' }),
});
export const keyOf = (vault: Vault, name: string): Uint8Array => vault.key('secret', ['t', name]);

/** Holds commits up, so that what is asked for meanwhile becomes one batch. */
export function hold(store: FaultyStore): () => void {
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  return () => {
    store.gate = undefined;
    gate.resolve();
  };
}
