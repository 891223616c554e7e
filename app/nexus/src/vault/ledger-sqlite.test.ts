import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { openSqliteStore, type Store } from '@spike/store';

import { OpenInstance } from './instance.ts';
import { createTestInstance, hasCode, openTestLedger } from './testing/instance.ts';
import { draft, keyOf, put } from './testing/ledger.ts';

const words = ['acme-corporation', 'database-password', 'hunter2-hunter2', 'trail-0123456789'];

test('a ledger on SQLite keeps what it acknowledged, and the stolen files show no path, value or trail', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'spike-ledger-'));
  context.after(() => rm(directory, { recursive: true }));
  const open = (): Promise<Store> =>
    openSqliteStore({ directory: join(directory, 'store'), signal: AbortSignal.timeout(10_000) });

  const { rootKey, audit } = await (async () => {
    await using store = await open();
    const made = await createTestInstance(store);
    const { vault } = made.instance;
    await using ledger = await openTestLedger(made);
    const writers = Array.from({ length: 40 }, (_, i) =>
      ledger.commit([put(vault, words.join(String(i)), 1, 'absent')], {
        record: draft(`${words[3] ?? ''}-${i}`),
      }),
    );
    await Promise.all(writers);
    await ledger.commit([put(vault, 'a', 1, 'absent'), put(vault, 'p', 1, 'absent', 'policy')]);
    const rivals = [2, 2, 2].map((revision) => ledger.commit([put(vault, 'a', revision, { revision: 1 })]));
    const results = await Promise.allSettled(rivals);
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.ok(hasCode('entity_version_conflict')(result.reason));
    }
    return made;
  })();

  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const contents = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name))),
  );
  const stolen = Buffer.concat(contents);
  assert.ok(stolen.length > 10_000);
  for (const word of words) assert.ok(!stolen.includes(word), word);

  await using store = await open();
  const head = await store.head();
  assert.ok(head);
  using instance = OpenInstance.open(rootKey, head.bytes);
  await using ledger = await openTestLedger({ rootKey, store, instance, audit });
  assert.equal(ledger.pendingOutbox().length, 40);
  const row = await ledger.get('secret', keyOf(instance.vault, 'a'));
  assert.ok(row);
  assert.equal(Buffer.from(instance.vault.open('secret', row)).toString(), 'a@2');
  const first = await ledger.get('secret', keyOf(instance.vault, words.join('0')));
  assert.equal(first?.revision, 1);
});
