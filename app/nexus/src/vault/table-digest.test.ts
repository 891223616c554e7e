import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Secret } from '@spike/crypto';
import { openMemoryStore, type Op } from '@spike/store';
import fc from 'fast-check';

import { TableDigest } from './table-digest.ts';
import { createTestInstance } from './testing/instance.ts';

const { vault } = (await createTestInstance()).instance;
const secret = (): Secret => Secret.take(Buffer.alloc(32, 1));
const keyOf = (name: number): Uint8Array => vault.key('policy', ['t', String(name)]);

const op = fc
  .record({
    name: fc.nat(4),
    revision: fc.integer({ min: 1, max: 9 }),
    gone: fc.boolean(),
    other: fc.boolean(),
  })
  .map(({ name, revision, gone, other }): Op => {
    const table = other ? 'secret' : 'policy';
    const key = keyOf(name);
    if (gone) return { kind: 'delete', table, key, expect: 'any' };
    const row = vault.seal(table, key, { revision, version: 0, field: 0 }, new Uint8Array());
    return { kind: 'put', table, row, expect: 'any' };
  });

test('a digest that followed every change is the one that the table itself gives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 10 }), async (batches) => {
      await using store = openMemoryStore();
      const digest = new TableDigest('policy', secret());
      for (const ops of batches) {
        digest.after([...ops, ...ops]);
        await store.commit(ops);
        digest.apply(digest.after(ops));
      }
      assert.deepEqual(digest.state, (await TableDigest.load('policy', secret(), store)).state);
    }),
    { numRuns: 100 },
  );
});

test('a row put back, taken away or added gives another digest', () => {
  const rows = [1, 2, 3].map((revision) =>
    vault.seal('policy', keyOf(0), { revision, version: 0, field: 0 }, new Uint8Array()),
  );
  const seen = new Set<string>();
  const states: (typeof rows)[number][][] = [[], ...rows.map((row) => [row])];
  for (const state of states) {
    const digest = new TableDigest('policy', secret());
    digest.apply(digest.after(state.map((row) => ({ kind: 'put', table: 'policy', row, expect: 'any' }))));
    seen.add(Buffer.from(digest.state.digest).toString('hex'));
  }
  assert.equal(seen.size, states.length);
});

test('a table of more than one page is read whole', async () => {
  await using store = openMemoryStore();
  const ops = Array.from({ length: 2001 }, (_, i): Op => {
    const row = vault.seal('policy', keyOf(i), { revision: 1, version: 0, field: 0 }, new Uint8Array());
    return { kind: 'put', table: 'policy', row, expect: 'absent' };
  });
  await store.commit(ops);
  assert.equal((await TableDigest.load('policy', secret(), store)).state.rows, 2001);
});
