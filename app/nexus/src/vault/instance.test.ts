import assert from 'node:assert/strict';
import { test } from 'node:test';

import { combine, Polynomial, RootKey, Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { openMemoryStore } from '@spike/store';
import fc from 'fast-check';

import type { Anchor } from './anchor.ts';
import { encodeHead, parseHead, schemaVersion, type InstanceHead } from './head.ts';
import { assertUnused, createInstance, newInstanceId, OpenInstance } from './instance.ts';
import { matchesHint, openManifest, sealManifest } from './manifest.ts';
import { createTestInstance, emptyRoot, hasCode } from './testing/instance.ts';

async function headBytes(store: ReturnType<typeof openMemoryStore>): Promise<Uint8Array> {
  const head = await store.head();
  assert.ok(head);
  return head.bytes;
}

test('an instance opens with its root key alone and makes every share of both splits again', async () => {
  const { rootKey, store, instance } = await createTestInstance();
  const again = OpenInstance.open(rootKey, await headBytes(store));
  assert.equal(again.instance, instance.instance);
  assert.deepEqual(again.headDigest, instance.headDigest);
  for (const [split, threshold] of [
    [again.keeper, 2],
    [again.recovery, 3],
  ] as const) {
    const shares = Array.from({ length: split.count }, (_, i) => split.shareOf(i + 1));
    assert.ok(combine(shares.slice(-threshold), threshold).equals(rootKey));
    assert.ok(!combine(shares.slice(0, threshold - 1), threshold - 1).equals(rootKey));
    assert.throws(() => split.shareOf(0), RangeError);
    assert.throws(() => split.shareOf(split.count + 1), RangeError);
  }
  assert.ok(again.keeper.shareOf(1).equals(instance.keeper.shareOf(1)));
  assert.ok(!again.keeper.shareOf(1).equals(again.recovery.shareOf(1)));
});

test('what one process sealed, the next one opens', async () => {
  const { rootKey, store, instance } = await createTestInstance();
  const key = instance.vault.key('secret', ['a', 'b']);
  const row = instance.vault.seal('secret', key, { revision: 1, version: 0, field: 0 }, Buffer.from('text'));
  const { vault } = OpenInstance.open(rootKey, await headBytes(store));
  assert.deepEqual(vault.key('secret', ['a', 'b']), key);
  assert.equal(Buffer.from(vault.open('secret', row)).toString(), 'text');
});

test('the root key of another instance does not open it', async () => {
  const { store } = await createTestInstance();
  const other = await createTestInstance();
  const bytes = await headBytes(store);
  assert.throws(() => OpenInstance.open(other.rootKey, bytes), hasCode('crypto_decryption_failed'));
});

test('no byte of the head can be changed, cut off or added', async () => {
  const { rootKey, store } = await createTestInstance();
  const bytes = await headBytes(store);
  const change = fc.oneof(
    fc
      .tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
      .map(([at, mask]) => bytes.map((byte, i) => (i === at ? byte ^ mask : byte))),
    fc.nat(bytes.length - 1).map((size) => bytes.subarray(0, size)),
    fc.uint8Array({ minLength: 1, maxLength: 9 }).map((more) => Buffer.concat([bytes, more])),
  );
  fc.assert(
    fc.property(change, (changed) => {
      assert.throws(() => OpenInstance.open(rootKey, changed), SpikeError);
    }),
    { numRuns: 300 },
  );
  OpenInstance.open(rootKey, bytes);
});

test('thresholds, counts, generations and digests in the clear are bound to the manifest', async () => {
  const { rootKey, instance } = await createTestInstance();
  const { head } = instance;
  const [keeper, recovery] = head.splits;
  assert.ok(keeper && recovery);
  const forged: Partial<InstanceHead>[] = [
    { splits: [{ ...keeper, threshold: 1 }, recovery] },
    { splits: [{ ...keeper, count: 2, digests: keeper.digests.slice(0, 2) }, recovery] },
    { splits: [{ ...keeper, generation: 2 }, recovery] },
    { splits: [{ ...keeper, digests: keeper.digests.toReversed() }, recovery] },
    { splits: [{ ...keeper, purpose: 'recovery' }, recovery] },
    { splits: [{ ...keeper, manifest: recovery.manifest }, recovery] },
    { splits: [keeper] },
  ];
  for (const change of forged) {
    assert.throws(
      () => OpenInstance.open(rootKey, encodeHead({ ...head, ...change })),
      hasCode('store_integrity'),
    );
  }
  OpenInstance.open(rootKey, encodeHead(head));
});

test('the newest generation of a split counts', async () => {
  const { rootKey, instance } = await createTestInstance();
  const split = {
    purpose: 'keeper',
    count: 3,
    generation: 2,
    polynomial: Polynomial.random(rootKey, 2),
  } as const;
  const newer = sealManifest(split, rootKey, instance.head);
  const head = { ...instance.head, splits: [newer, ...instance.head.splits] };
  assert.equal(OpenInstance.open(rootKey, encodeHead(head)).keeper.generation, 2);
});

test('the hint names a wrong share before there is a key', async () => {
  const { instance } = await createTestInstance();
  const [keeper] = instance.head.splits;
  assert.ok(keeper);
  const right = instance.keeper.shareOf(2);
  assert.ok(matchesHint(keeper, instance.instance, right));
  const bytes = right.value.expose((value) => Uint8Array.from(value));
  assert.ok(!matchesHint(keeper, instance.instance, Share.take(1, Uint8Array.from(bytes))));
  assert.ok(!matchesHint(keeper, instance.instance, Share.take(200, Uint8Array.from(bytes))));
  assert.ok(!matchesHint(keeper, instance.instance, instance.recovery.shareOf(2)));
});

test('a split of another root key is not taken into an instance', () => {
  using rootKey = RootKey.generate();
  using other = RootKey.generate();
  const split = { polynomial: Polynomial.random(rootKey, 2), count: 3 };
  const options = { rootKey, id: newInstanceId(), audit: { syncedSize: 0, syncedRoot: emptyRoot } };
  assert.throws(
    () =>
      createInstance({
        ...options,
        keeper: { ...split, polynomial: Polynomial.random(other, 2) },
        recovery: split,
      }),
    hasCode('shamir_reconstruction_failed'),
  );
  assert.throws(
    () => createInstance({ ...options, keeper: { ...split, count: 1 }, recovery: split }),
    RangeError,
  );
  createInstance({ ...options, keeper: split, recovery: split });
});

test('a manifest is sealed under the root key of its epoch', async () => {
  const { rootKey, instance } = await createTestInstance();
  const [keeper] = instance.head.splits;
  assert.ok(keeper);
  const next = { ...instance.head, keyringEpoch: 2 };
  assert.throws(() => openManifest(keeper, rootKey, next), hasCode('store_integrity'));
  assert.throws(() => openManifest(keeper, RootKey.generate(), instance.head), hasCode('store_integrity'));
});

test('an instance is never made in a store that holds one', async () => {
  const { store, rootKey } = await createTestInstance();
  const split = { polynomial: Polynomial.random(rootKey, 2), count: 3 };
  const audit = { syncedSize: 0, syncedRoot: emptyRoot };
  const second = createInstance({ rootKey, id: newInstanceId(), keeper: split, recovery: split, audit });
  const before = await headBytes(store);
  assert.equal((await store.commit(second.ops)).ok, false);
  assert.deepEqual(await headBytes(store), before);
});

test('a new instance is refused where the store holds one or the anchor file names one', () => {
  const anchor: Anchor = {
    instance: newInstanceId(),
    revision: 1,
    keyringEpoch: 1,
    auditSize: 0,
    auditRoot: emptyRoot,
    signed: undefined,
    key: 1,
    mac: emptyRoot,
  };
  assertUnused(undefined, { kind: 'absent' });
  assert.throws(() => {
    assertUnused(new Uint8Array(1), { kind: 'absent' });
  }, hasCode('state_already_initialized'));
  for (const found of [{ kind: 'found', anchor }, { kind: 'damaged' }] as const) {
    assert.throws(() => {
      assertUnused(undefined, found);
    }, hasCode('store_missing'));
  }
});

test('a head reads back as what was written, and no bytes make the parser throw anything but SpikeError', async () => {
  const { instance } = await createTestInstance();
  const bytes = encodeHead(instance.head);
  assert.deepEqual(encodeHead(parseHead(bytes)), bytes);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(80), (noise, keep) => {
      assert.throws(() => parseHead(Buffer.concat([bytes.subarray(0, keep), noise])), SpikeError);
    }),
  );
});

test('a store of a later schema is refused with a sentence that says so', async () => {
  const { instance } = await createTestInstance();
  const bytes = encodeHead(instance.head);
  // The last byte of the second field, which is the schema version.
  const at = 5 + 'spike/head'.length + 5 + 7;
  assert.equal(bytes[at], schemaVersion);
  bytes[at] = schemaVersion + 1;
  assert.throws(() => parseHead(bytes), /schema version 2, this release reads 1/);
});

test('the wiped vault of an instance neither seals nor opens', async () => {
  const { instance } = await createTestInstance();
  const { vault } = instance;
  const key = vault.key('secret', ['a']);
  const row = vault.seal('secret', key, { revision: 1, version: 0, field: 0 }, Buffer.from('x'));
  instance[Symbol.dispose]();
  assert.throws(() => vault.open('secret', row), hasCode('state_not_ready'));
  assert.throws(() => vault.key('secret', ['a']), hasCode('state_not_ready'));
});

test('a disposed instance gives out neither its root key nor a share of it, and signs nothing', async () => {
  const { rootKey, instance, store } = await createTestInstance();
  const head = await store.head();
  const again = OpenInstance.open(rootKey, head?.bytes ?? new Uint8Array());
  using own = again.keeper.rootKey();
  assert.ok(own.equals(rootKey));
  const { keeper, recovery, reset } = again;
  again[Symbol.dispose]();
  for (const split of [keeper, recovery]) {
    assert.throws(() => split.rootKey(), /wiped/);
    assert.throws(() => split.shareOf(1), /wiped/);
  }
  assert.throws(() => reset.current, /wiped/);
  assert.ok(instance.keeper.rootKey().equals(rootKey), 'another one of the same store is not touched');
});
