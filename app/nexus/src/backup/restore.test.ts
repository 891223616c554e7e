import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SpikeError } from '@spike/error';
import { openMemoryStore, openSqliteStore, type CommitResult, type Op, type Store } from '@spike/store';
import { grantAll, grantOn } from '../service/testing/grant.ts';
import { FaultyStore } from '../vault/testing/faulty-store.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { describe, fill, openAt, origin, owner, restoreTo, Rig, sendTo, startOf } from './testing/rig.ts';

const directories: string[] = [];
after(async () => {
  for (const path of directories) await rm(path, { recursive: true, force: true });
});

async function openSqlite(): Promise<Store> {
  const path = await mkdtemp(join(tmpdir(), 'spike-restore-'));
  directories.push(path);
  return await openSqliteStore({ directory: join(path, 'data'), signal: AbortSignal.timeout(110_000) });
}
const drivers = { memory: async () => Promise.resolve(openMemoryStore()), sqlite: openSqlite };

for (const [name, open] of Object.entries(drivers)) {
  test(`${name}: a backup and shares bring back values, versions, deletions, metadata, policies and ciphertexts`, async () => {
    await using a = await Rig.open(await open());
    await fill(a, 60);
    const message = a.serving.cipher.encrypt(grantAll, Buffer.from('kept outside'));
    const before = await describe(a);
    const backup = await a.take();
    await a.secrets.put(grantOn('too/late'), { a: 'b' });

    await using b = await Rig.open(await open());
    const termBefore = (await b.store.list('state', new Uint8Array(), { limit: 1 }))[0]?.term;
    const own = b.serving.cipher.encrypt(grantAll, Buffer.from('of the new one'));
    await restoreTo(b, backup, a);
    assert.notEqual(b.backups.restoring, undefined, 'nothing is served before it is opened anew');
    await b.reopen();
    assert.equal(b.backups.restoring, undefined);
    assert.deepEqual(await describe(b), before);
    assert.equal(b.serving.policies.engine.decide('spiffe://td/app/3', 'read', 'team/3/x').allowed, true);
    assert.equal(Buffer.from(b.serving.cipher.decrypt(grantAll, message)).toString(), 'kept outside');
    assert.equal(Buffer.from(b.serving.cipher.decrypt(grantAll, own)).toString(), 'of the new one');
    const verification = await b.serving.verify(AbortSignal.timeout(10_000));
    assert.deepEqual(verification.problems, []);
    const [row] = await b.store.list('secret', new Uint8Array(), { limit: 1 });
    assert.equal(row?.term, (termBefore ?? 0) + 1, 'under a new term');
    const { restored } = await b.backups.list();
    assert.equal(restored?.instance, a.made.instance.instance);
    // What it was restored into is an instance as any: its own backup comes back, too, with both ciphers.
    const second = await b.take();
    await using c = await Rig.open(await open());
    await restoreTo(c, second, b);
    await c.reopen();
    assert.deepEqual(await describe(c), before);
    for (const one of [message, own]) c.serving.cipher.decrypt(grantAll, one);
    await assert.rejects(
      async () => a.serving.cipher.decrypt(grantAll, own),
      hasCode('crypto_decryption_failed'),
    );
  });
}

/** A store that is killed at one of its commits: it fails from then on, until it is let live again. */
class MortalStore extends FaultyStore {
  left = Infinity;

  override async commit(ops: readonly Op[]): Promise<CommitResult> {
    if (this.left <= 0) throw new SpikeError('store_failed', 'killed', { detail: { outcome: 'none' } });
    this.left -= 1;
    return await super.commit(ops);
  }
}

test('a restore that is stopped after any of its transactions is gone on with, and refuses another backup', async () => {
  await using a = await Rig.open(openMemoryStore());
  await fill(a, 15);
  const before = await describe(a);
  const backup = await a.take();
  await a.secrets.put(grantOn('more'), { a: 'b' });
  const later = await a.take();
  const options = { replace: true, step: 4_000 };
  for (let left = 0; ; left++) {
    const store = new MortalStore(openMemoryStore());
    await using b = await Rig.open(store);
    await b.secrets.put(grantOn('old/one'), { a: 'b' });
    await b.secrets.put(grantOn('old/two'), { a: 'b' });
    store.left = left;
    const stopped = await restoreTo(b, backup, a, options).then(
      () => false,
      () => true,
    );
    store.left = Infinity;
    if (!stopped) {
      assert.ok(left > 7, 'it was stopped in many places');
      break;
    }
    await b.crash();
    // Before its first transaction nothing has changed; after it the mark outlives the process.
    assert.equal(b.backups.restoring === undefined, left === 0);
    if (left > 0) {
      await assert.rejects(restoreTo(b, later, a, options), hasCode('entity_version_conflict'));
    }
    await restoreTo(b, backup, a, options);
    await b.reopen();
    assert.deepEqual(await describe(b), before, `stopped after ${left}`);
    assert.equal(b.backups.restoring, undefined);
    const { problems } = await b.serving.verify(AbortSignal.timeout(10_000));
    assert.deepEqual(problems, []);
  }
});

test('a store with something in it is replaced when that is asked for, and a restore can be taken back', async () => {
  await using a = await Rig.open(openMemoryStore());
  await fill(a, 10);
  const backup = await a.take();
  await using b = await Rig.open(openMemoryStore());
  await b.secrets.put(grantOn('own'), { a: 'b' });
  const before = await describe(b);
  await assert.rejects(restoreTo(b, backup, a), hasCode('entity_version_conflict'));
  assert.deepEqual(await describe(b), before);
  assert.equal(b.backups.restoring, undefined);
  const id = await openAt(b, backup, 'restore', a);
  await sendTo(b, id, backup);
  assert.deepEqual(await b.backups.start(owner, id, { replace: true }, origin), { cleared: true });
  await b.crash();
  assert.notEqual(b.backups.restoring, undefined);
  assert.equal(await b.backups.abort(origin), true);
  await b.reopen();
  assert.equal(b.backups.restoring, undefined);
  assert.deepEqual(await describe(b), { described: [], policies: [] });
  await b.secrets.put(grantOn('own'), { a: 'c' });
  await assert.rejects(b.backups.abort(origin), hasCode('api_not_found'));
});

test('a backup of the same instance brings back what was destroyed since', async () => {
  await using a = await Rig.open(openMemoryStore());
  await fill(a, 20);
  const message = a.serving.cipher.encrypt(grantAll, Buffer.from('x'));
  const before = await describe(a);
  const backup = await a.take();
  await a.secrets.destroy(grantOn('team/0/secret-0'), { all: true });
  await a.secrets.put(grantOn('team/1/secret-1'), { user: 'changed' });
  await restoreTo(a, backup, a, { replace: true });
  await a.reopen();
  assert.deepEqual(await describe(a), before);
  assert.equal(Buffer.from(a.serving.cipher.decrypt(grantAll, message)).toString(), 'x');
});

test('a commit that fails in the middle is made again, and nothing is lost by asking again', async () => {
  await using a = await Rig.open(openMemoryStore());
  await fill(a, 30);
  const before = await describe(a);
  const backup = await a.take();
  const store = new FaultyStore(openMemoryStore());
  await using b = await Rig.open(store);
  const id = await openAt(b, backup, 'restore', a);
  await sendTo(b, id, backup);
  await b.backups.start(owner, id, { replace: false }, origin);
  const step = 2_000;
  let failed = 0;
  for (let at = startOf(backup).length; at < backup.length; at += step) {
    store.faults.push('before');
    const send = async () => b.backups.feed(owner, id, at, backup.subarray(at, at + step), origin);
    await send().catch(() => (failed += 1));
    store.faults.length = 0;
    await send();
    await send();
  }
  assert.ok(failed > 3);
  await b.backups.finish(owner, id, undefined, origin);
  await b.reopen();
  assert.deepEqual(await describe(b), before);
});
