import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { toMetadataAnswer } from './secret-answer.ts';
import { SecretService } from './secret.ts';
import { encodeMetadata } from './secret-record.ts';
import { encodeRecord } from './record.ts';
import { grantAll, grantOn } from './testing/grant.ts';
import { interpose, openService } from './testing/service.ts';

const db = grantOn('tenants/acme/db');

async function openWith(count: number, options: Parameters<typeof openService>[0] = {}) {
  const opened = await openService(options);
  for (let n = 1; n <= count; n += 1) await opened.service.put(db, { n: String(n) });
  const current = async (): Promise<number> => (await opened.service.metadata(db)).current;
  return { ...opened, current };
}

for (const [what, versions] of [
  ['no list', null],
  ['an empty list', []],
  ['[0]', [0]],
] as const) {
  test(`undelete with ${what} brings back the newest deleted version, whether one is current or not`, async () => {
    const { service, current } = await openWith(3);
    await service.delete(db, [1, 3]);
    await service.undelete(db, versions);
    assert.equal(await current(), 3);
    await service.undelete(db, versions);
    assert.equal((await service.get(db, 1)).values['n'], '1');
    assert.equal(await current(), 3);
    await assert.rejects(service.undelete(db, versions), hasCode('api_not_found'));
    await service.delete(db, [1, 2, 3]);
    await service.undelete(db, versions);
    assert.equal((await service.get(db)).version, 3);
  });
}

test('undelete brings back what is named, passes over the rest, and fails where nothing is to bring back', async () => {
  const { service, current } = await openWith(3);
  await service.delete(db, [2, 3]);
  await service.undelete(db, [2, 99, 1]);
  assert.equal(await current(), 2);
  for (const versions of [[1], [2], [99], [-1]]) {
    await assert.rejects(service.undelete(db, versions), hasCode('api_not_found'));
  }
  await assert.rejects(service.undelete(grantOn('nowhere'), []), hasCode('api_not_found'));
  await assert.rejects(service.get(db, 3), hasCode('api_not_found'));
});

test('destroyed versions leave the store, and their numbers are not given again', async () => {
  const { service, store, current } = await openWith(3);
  await service.destroy(db, { versions: [3, 77] });
  const rows = await store.list('secret_version', new Uint8Array(0), { limit: 10 });
  assert.deepEqual(
    rows.map(({ version }) => version),
    [1, 2],
  );
  assert.equal(await current(), 2);
  await assert.rejects(service.undelete(db, [3]), hasCode('api_not_found'));
  await service.destroy(db, { versions: [1, 2] });
  assert.deepEqual((await service.metadata(db)).versions, []);
  await assert.rejects(service.get(db), hasCode('api_not_found'));
  assert.equal(await service.put(db, { n: '4' }, { cas: 0 }), 4);
});

test('a destroyed secret leaves nothing, and is made anew from version 1', async () => {
  const { service, store } = await openWith(3);
  await service.setMetadata(db, { owner: 'ann' });
  await service.destroy(db, { all: true });
  for (const table of ['secret', 'secret_version'] as const) {
    assert.deepEqual(await store.list(table, new Uint8Array(0), { limit: 10 }), []);
  }
  await assert.rejects(service.metadata(db), hasCode('api_not_found'));
  await assert.rejects(service.destroy(db, { all: true }), hasCode('api_not_found'));
  assert.deepEqual((await service.list(grantAll)).keys, []);
  assert.equal(await service.put(db, { n: '1' }), 1);
  assert.equal('owner' in toMetadataAnswer(await service.metadata(db)).metadata, false);
});

test('a reader is not told of damage when a secret is destroyed and made anew under its hands, twice', async () => {
  let times = 0;
  const { service } = await openWith(1, {
    wrap: (inner) =>
      interpose(inner, {
        get: async (table, key) => {
          if (table !== 'secret_version' || times === 0) return await inner.get(table, key);
          times -= 1;
          await service.destroy(db, { all: true });
          const gone = await inner.get(table, key);
          await service.put(db, { n: `new ${String(times)}` });
          return gone;
        },
      }),
  });
  times = 2;
  assert.deepEqual({ ...(await service.get(db)).values }, { n: 'new 0' });
});

test('cas is the version that a get would answer, and 0 where it would answer none', async () => {
  const { service } = await openWith(0);
  await assert.rejects(service.put(db, {}, { cas: 1 }), hasCode('entity_version_conflict'));
  assert.equal(await service.put(db, {}, { cas: 0 }), 1);
  await assert.rejects(service.put(db, {}, { cas: 0 }), { code: 'entity_version_conflict', message: /is 1/ });
  assert.equal(await service.put(db, {}, { cas: 1 }), 2);
  await service.delete(db, [2]);
  await assert.rejects(service.put(db, {}, { cas: 2 }), hasCode('entity_version_conflict'));
  assert.equal(await service.put(db, {}, { cas: 1 }), 3);
  await service.delete(db, [1, 3]);
  assert.equal(await service.put(db, {}, { cas: 0 }), 4);
});

test('of twenty puts that follow the same version one is taken, through two services as well', async () => {
  const { service, vault, ledger, engine } = await openWith(1);
  const other = new SecretService({ vault, ledger, engine });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? service : other).put(db, { n: `r${n}` }, { cas: 1 })),
  );
  const taken = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []));
  assert.equal(taken.length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.ok(hasCode('entity_version_conflict')(outcome.reason));
  }
  const { version, values } = await service.get(db);
  assert.deepEqual([version, values['n']], [2, `r${String(taken[0])}`]);
});

test('a lower number of versions prunes at once, and a higher one keeps more', async () => {
  const { service, store } = await openWith(5);
  const kept = async (): Promise<number[]> =>
    (await store.list('secret_version', new Uint8Array(0), { limit: 20 })).map(({ version }) => version);
  await service.setMetadata(db, { maxVersions: 2 });
  assert.deepEqual(await kept(), [4, 5]);
  await service.put(db, { n: '6' });
  assert.deepEqual(await kept(), [5, 6]);
  await service.put(db, { n: '7' }, { maxVersions: 4 });
  await service.put(db, { n: '8' });
  assert.deepEqual(await kept(), [5, 6, 7, 8]);
  await service.put(db, { n: '9' }, { maxVersions: 1 });
  assert.deepEqual(await kept(), [9]);
  assert.equal((await service.metadata(db)).maxVersions, 1);
});

test('metadata shows all versions when all are deleted, and for a deleted one that is asked for', async () => {
  const { service } = await openWith(2);
  await service.delete(db, [1, 2]);
  for (const version of [0, 1, 2]) {
    const { versions, metadata } = toMetadataAnswer(await service.metadata(db, version));
    assert.deepEqual(Object.keys(versions), ['1', '2']);
    assert.match(versions['2']?.deletedTime ?? '', /^1970-01-01T00:00:01\.\d{3}Z$/);
    assert.deepEqual([metadata.currentVersion, metadata.oldestVersion, metadata.maxVersions], [0, 0, 10]);
  }
  for (const version of [3, -1])
    await assert.rejects(service.metadata(db, version), hasCode('api_not_found'));
});

test('what people say about a secret is replaced by parts, cleared by nothing, and outlives versions', async () => {
  const { service, vault, ledger, keyOf, metadata } = await openWith(1);
  const labels = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>;
  await service.setMetadata(db, { owner: 'ann', labels });
  await service.setMetadata(db, { description: 'of the\nshop' });
  await service.put(db, { n: '2' });
  const shown = toMetadataAnswer(await service.metadata(db)).metadata;
  assert.deepEqual([shown.owner, shown.description], ['ann', 'of the\nshop']);
  assert.deepEqual(Object.entries(shown.labels ?? {}), Object.entries(labels));
  const before = await metadata('tenants/acme/db');
  const row = await ledger.get('secret', keyOf('tenants/acme/db'));
  assert.ok(row);
  const later = encodeMetadata({ ...before, extension: { ...before.extension, cap: { required: true } } });
  const sealed = vault.seal('secret', row.key, { revision: row.revision + 1, version: 0, field: 0 }, later);
  await ledger.commit([{ kind: 'put', table: 'secret', row: sealed, expect: 'any' }]);
  await service.setMetadata(db, { owner: '', labels: {} });
  assert.deepEqual((await metadata('tenants/acme/db')).extension, {
    description: 'of the\nshop',
    cap: { required: true },
  });
  await assert.rejects(service.setMetadata(grantOn('nowhere'), { owner: 'x' }), hasCode('api_not_found'));
});

test('bytes come back as bytes, beside texts, and whatever is in them', async () => {
  const { service } = await openService();
  const every = Uint8Array.from({ length: 256 }, (_, index) => index);
  await service.put(db, { every, none: new Uint8Array(0), text: 'AQID', empty: '', wide: '\u0000😀é' });
  const { values } = await service.get(db);
  assert.deepEqual(Object.keys(values), ['every', 'none', 'text', 'empty', 'wide']);
  assert.deepEqual([values['every'], values['none']], [every, new Uint8Array(0)]);
  assert.deepEqual([values['text'], values['empty'], values['wide']], ['AQID', '', '\u0000😀é']);
});

test('a version that an earlier release wrote is read', async () => {
  const { service, vault, ledger, keyOf } = await openWith(1);
  const path = 'tenants/acme/db';
  const key = vault.versionKey(keyOf(path), 1);
  const record = encodeRecord({ path, version: 1, values: JSON.parse('{"__proto__":"x","user":"app"}') });
  const row = vault.seal('secret_version', key, { revision: 1, version: 1, field: 0 }, record);
  await ledger.commit([{ kind: 'put', table: 'secret_version', row, expect: 'any' }]);
  assert.equal(JSON.stringify((await service.get(db)).values), '{"__proto__":"x","user":"app"}');
});

test('a version whose record is cut, longer than it says, or of a later kind is an integrity error', async () => {
  const { service, vault, ledger, keyOf } = await openWith(1);
  const key = vault.versionKey(keyOf('tenants/acme/db'), 1);
  const head = (values: unknown): Buffer => {
    const json = Buffer.from(JSON.stringify({ path: 'tenants/acme/db', version: 1, values }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(json.length);
    return Buffer.concat([Uint8Array.of(2), length, json]);
  };
  const good = Buffer.concat([head([['n', 0, 1]]), Buffer.from('1')]);
  const read = async (record: Uint8Array): Promise<unknown> => {
    const row = vault.seal('secret_version', key, { revision: 1, version: 1, field: 0 }, record);
    await ledger.commit([{ kind: 'put', table: 'secret_version', row, expect: 'any' }]);
    return { ...(await service.get(db)).values };
  };
  assert.deepEqual(await read(good), { n: '1' });
  const bad: readonly Uint8Array[] = [
    good.subarray(0, -1),
    good.subarray(0, 3),
    good.subarray(0, 20),
    Buffer.concat([good, Buffer.from('x')]),
    Buffer.concat([head([['n', 2, 1]]), Buffer.from('1')]),
    Buffer.concat([head([['n', 0, -1]]), Buffer.from('1')]),
    Buffer.concat([head([['n', 0]]), Buffer.from('1')]),
    Buffer.concat([head({ n: 1 }), Buffer.from('1')]),
    Buffer.concat([Uint8Array.of(3), good.subarray(1)]),
  ];
  for (const record of bad) await assert.rejects(read(record), hasCode('store_integrity'));
});

test('a value and a secret may be as large as the limits say, and one byte more is refused with both', async () => {
  const { service } = await openService({ maxValueBytes: 10, maxSecretBytes: 24 });
  await service.put(db, { a: 'é'.repeat(5), b: new Uint8Array(10) });
  const tooLarge = (names: RegExp) => ({ code: 'api_payload_too_large', message: names });
  for (const value of ['x'.repeat(11), `${'é'.repeat(5)}x`, new Uint8Array(11)]) {
    await assert.rejects(
      service.put(db, { a: value }),
      tooLarge(/at most 10 bytes.*11.*SPIKE_NEXUS_MAX_VALUE_BYTES/),
    );
  }
  const sum = { a: 'x'.repeat(10), b: new Uint8Array(10), cc: 'x' };
  await assert.rejects(service.put(db, sum), tooLarge(/at most 24 bytes.*25.*SPIKE_NEXUS_MAX_SECRET_BYTES/));
  assert.equal((await service.get(db)).version, 1);
});

test('the largest secret of the largest limit fits into the store, also one that JSON writes six times as long', async () => {
  const most = 3 * 1024 * 1024;
  const { service } = await openService({ maxValueBytes: most, maxSecretBytes: most });
  await service.put(db, { a: '\u0001'.repeat(most - 1) });
  assert.equal((await service.get(db)).values['a']?.length, most - 1);
});
