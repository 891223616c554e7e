import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openMemoryStore, type Op, type Store } from '@spike/store';

import { parseAnchor, type Anchor } from './anchor.ts';
import { encodeHead } from './head.ts';
import { OpenInstance } from './instance.ts';
import type { GroupLedger } from './ledger.ts';
import type { Vault } from './port.ts';
import { stateKey } from './state.ts';
import { createTestInstance, hasCode, openTestLedger } from './testing/instance.ts';
import { openFixture, put } from './testing/ledger.ts';

test('the state record holds the audit as it was synced when the record was made', async () => {
  const { ledger, vault, audit, ...made } = await openFixture();
  audit.syncedSize = 7;
  audit.syncedRoot = Buffer.alloc(32, 7);
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  audit.syncedSize = 9;
  const { state } = await openTestLedger({ ...made, audit });
  assert.equal(state.auditSize, 7);
  assert.deepEqual(Buffer.from(state.auditRoot), Buffer.alloc(32, 7));
  assert.ok(made.instance.anchors.verify(ledger.anchor()));
  assert.equal(ledger.anchor().auditSize, 7);
});

test('an older copy of the store is refused by its anchor, until it is accepted', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  const copy = await copyOf(store, made.instance.vault);
  await ledger.commit([put(vault, 'a', 2, { revision: 1 })]);
  const anchors = [ledger.anchor()];
  await openTestLedger({ ...made, store }, { anchors });
  await assert.rejects(openTestLedger({ ...made, store: copy }, { anchors }), hasCode('store_integrity'));
  await openTestLedger({ ...made, store: copy }, { anchors, accepted: made.instance.instance });
});

test('a policy that was put back, taken away or added behind our back is found at the start', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  const older = put(vault, 'p', 1, 'absent', 'policy');
  await ledger.commit([older]);
  const newer = put(vault, 'p', 2, { revision: 1 }, 'policy');
  await ledger.commit([newer]);
  const check = (): Promise<GroupLedger> => openTestLedger({ ...made, store });
  await check();
  assert.ok(older.kind === 'put' && newer.kind === 'put');
  const tampering: Op[] = [
    { ...older, expect: 'any' },
    { kind: 'delete', table: 'policy', key: newer.row.key, expect: 'any' },
    put(vault, 'other', 1, 'any', 'policy'),
  ];
  for (const op of tampering) {
    await store.inner.commit([op]);
    await assert.rejects(check(), hasCode('store_integrity'));
    const other = vault.key('policy', ['t', 'other']);
    await store.inner.commit([
      { ...newer, expect: 'any' },
      { kind: 'delete', table: 'policy', key: other, expect: 'any' },
    ]);
    await check();
  }
});

test('a state record or a head that is missing, older or of another system is refused', async () => {
  const { ledger, vault, store, ...made } = await openFixture();
  const key = stateKey(vault);
  const older = await store.get('state', key);
  assert.ok(older);
  await ledger.commit([put(vault, 'p', 1, 'absent', 'policy')]);
  const newer = await store.get('state', key);
  assert.ok(newer);
  const check = (): Promise<GroupLedger> => openTestLedger({ ...made, store });
  await store.inner.commit([{ kind: 'put', table: 'state', row: older, expect: 'any' }]);
  await assert.rejects(check(), hasCode('store_integrity'));
  await store.inner.commit([{ kind: 'put', table: 'state', row: { ...older, revision: 2 }, expect: 'any' }]);
  await assert.rejects(check(), hasCode('store_integrity'));
  await store.inner.commit([{ kind: 'delete', table: 'state', key, expect: 'any' }]);
  await assert.rejects(check(), hasCode('store_integrity'));
  await store.inner.commit([{ kind: 'put', table: 'state', row: newer, expect: 'any' }]);
  await check();
  const other = await createTestInstance();
  await assert.rejects(
    openTestLedger({ ...made, store, instance: other.instance }),
    hasCode('store_integrity'),
  );
});

test('a head that changes is bound to the state record of its transaction', async () => {
  const { ledger, vault, store, instance, ...made } = await openFixture();
  const head = { ...instance.head, splits: instance.head.splits.toReversed() };
  const bytes = encodeHead(head);
  await ledger.commit([{ kind: 'head', bytes, revision: 2, expect: { revision: 1 } }]);
  await ledger.commit([put(vault, 'a', 1, 'absent')]);
  await assert.rejects(openTestLedger({ ...made, store, instance }), hasCode('store_integrity'));

  await openTestLedger({ ...made, store, instance: OpenInstance.open(made.rootKey, bytes) });
});

test('a stolen store shows no byte of a path, a value, a policy name or a trail', async () => {
  const { ledger, vault, store } = await openFixture();
  const words = [
    'acme-corporation',
    'database-password',
    'hunter2-hunter2',
    'policy-of-billing',
    'trail-0123456789',
  ];
  for (const table of ['secret', 'policy'] as const) {
    const key = vault.key(table, words.slice(0, 2));
    const row = vault.seal(table, key, { revision: 1, version: 0, field: 0 }, Buffer.from(words.join(' ')));
    await ledger.commit([{ kind: 'put', table, row, expect: 'absent' }], {
      record: { trail: 'trail-0123456789', record: JSON.stringify(words) },
    });
  }
  const head = await store.head();
  const rows = await Promise.all(
    (['secret', 'policy', 'outbox', 'state'] as const).map((table) =>
      store.list(table, new Uint8Array(), { limit: 100 }),
    ),
  );
  const all = rows.flat();
  assert.equal(all.length, 5);
  const stolen = Buffer.concat(
    [head?.bytes ?? [], ...all.flatMap(({ key, nonce, body }) => [key, nonce, body])].map((bytes) =>
      Buffer.from(bytes),
    ),
  );
  for (const word of words) assert.ok(!stolen.includes(word), word);
});

async function copyOf(store: Store, vault: Vault): Promise<Store> {
  const copy = openMemoryStore();
  const head = await store.head();
  const state = await store.get('state', stateKey(vault));
  assert.ok(head && state);
  const ops: Op[] = [
    { kind: 'head', ...head, expect: 'absent' },
    { kind: 'put', table: 'state', row: state, expect: 'absent' },
  ];
  for (const row of await store.list('secret', new Uint8Array(), { limit: 100 })) {
    ops.push({ kind: 'put', table: 'secret', row, expect: 'absent' });
  }
  await copy.commit(ops);
  return copy;
}

test('the anchor of a closed ledger can still be written when its keys are gone', async () => {
  const made = await createTestInstance();
  let make: (() => string) | undefined;
  const ledger = await openTestLedger(made, { anchorFile: { note: (given) => (make = given) } });
  await ledger.commit([put(made.instance.vault, 'a', 1, 'absent')]);
  await ledger[Symbol.asyncDispose]();
  const verifies = (anchor: Anchor): boolean => made.instance.anchors.verify(anchor);
  assert.ok(make !== undefined && verifies(parseAnchor(make())));
  made.instance[Symbol.dispose]();
  assert.equal(parseAnchor(make()).revision, 2);
  await ledger[Symbol.asyncDispose]();
});
