import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '@spike/store';
import { hasCode } from '../vault/testing/instance.ts';
import { SecretService } from './secret.ts';
import { encodeMetadata, type SecretMetadata } from './secret-record.ts';
import { encodeValues } from './secret-values.ts';
import { grantOn } from './testing/grant.ts';
import { interpose, openService } from './testing/service.ts';

const db = grantOn('tenants/acme/db');

test('what was put is got, the newest for 0 and each by its number', async () => {
  const { service } = await openService();
  assert.equal(await service.put(db, { user: 'a' }), 1);
  assert.equal(await service.put(db, { user: 'b', pass: 'c' }), 2);
  assert.deepEqual({ ...(await service.get(db)).values }, { user: 'b', pass: 'c' });
  assert.deepEqual({ ...(await service.get(db, 1)).values }, { user: 'a' });
  assert.deepEqual({ ...(await service.get(db, 2)).values }, { user: 'b', pass: 'c' });
});

test('a path, version or secret that is not there is not found', async () => {
  const { service } = await openService();
  await assert.rejects(service.get(db), hasCode('api_not_found'));
  await assert.rejects(service.delete(db, []), hasCode('api_not_found'));
  await service.put(db, {});
  for (const version of [2, -1, 99]) await assert.rejects(service.get(db, version), hasCode('api_not_found'));
  await assert.rejects(service.get(grantOn('tenants/acme')), hasCode('api_not_found'));
  await assert.rejects(service.get(grantOn('tenants/acme/db/x')), hasCode('api_not_found'));
});

test('names like __proto__ are names, and texts of any kind come back as they were', async () => {
  const { service } = await openService();
  const values = JSON.parse(
    '{"__proto__":"a","constructor":"b","to string":"\\u0000\\ud83d\\ude00\\"<&>"}',
  ) as Record<string, string>;
  await service.put(db, values);
  const { values: got } = await service.get(db);
  assert.deepEqual(Object.entries(got), Object.entries(values));
  assert.equal(Object.getPrototypeOf(got), null);
  assert.equal(got['toString'], undefined);
  assert.equal(JSON.stringify(got), JSON.stringify(values));
});

test('a name of a value keeps to wire.md 4', async () => {
  const { service } = await openService();
  for (const bad of ['', 'a.b', 'a\n', 'é', 'a'.repeat(251)]) {
    await assert.rejects(service.put(db, { ok: '1', [bad]: 'x' }), hasCode('data_invalid_input'));
  }
  await assert.rejects(service.get(db), hasCode('api_not_found'));
});

test('a deleted number is not given again', async () => {
  const { service, metadata } = await openService();
  for (const n of ['1', '2', '3']) await service.put(db, { n });
  await service.delete(db, [3]);
  assert.deepEqual({ ...(await service.get(db)).values }, { n: '2' });
  assert.equal(await service.put(db, { n: '4' }), 4);
  await assert.rejects(service.get(db, 3), hasCode('api_not_found'));
  await service.delete(db, [1, 2, 4]);
  await assert.rejects(service.get(db), hasCode('api_not_found'));
  assert.deepEqual(pick(await metadata('tenants/acme/db')), { current: 0, oldest: 0, highest: 4 });
  assert.equal(await service.put(db, { n: '5' }), 5);
  assert.deepEqual(pick(await metadata('tenants/acme/db')), { current: 5, oldest: 5, highest: 5 });
});

test('no list of versions, an empty one and 0 all mean the current version; unknown numbers are passed over', async () => {
  const { service } = await openService();
  for (const n of ['1', '2', '3', '4']) await service.put(db, { n });
  await service.delete(db, null);
  assert.deepEqual({ ...(await service.get(db)).values }, { n: '3' });
  await service.delete(db, []);
  assert.deepEqual({ ...(await service.get(db)).values }, { n: '2' });
  await service.delete(db, [0, 77, -3]);
  assert.deepEqual({ ...(await service.get(db)).values }, { n: '1' });
  await service.delete(db, [77]);
  assert.deepEqual({ ...(await service.get(db)).values }, { n: '1' });
  await service.delete(db, [0]);
  await service.delete(db, [0]);
  await assert.rejects(service.get(db), hasCode('api_not_found'));
});

test('what is over the number of versions is pruned from the store itself, deleted ones included', async () => {
  const { service, store, keyOf, vault, metadata } = await openService({ maxVersions: 3 });
  for (const n of ['1', '2', '3']) await service.put(db, { n });
  await service.delete(db, [2]);
  await service.put(db, { n: '4' });
  await service.put(db, { n: '5' });
  const rows = await store.list('secret_version', new Uint8Array(0), { limit: 100 });
  assert.deepEqual(
    rows.map((row) => row.version),
    [3, 4, 5],
  );
  assert.equal(await store.get('secret_version', vault.versionKey(keyOf('tenants/acme/db'), 1)), undefined);
  for (const version of [1, 2]) await assert.rejects(service.get(db, version), hasCode('api_not_found'));
  assert.deepEqual({ ...(await service.get(db, 3)).values }, { n: '3' });
  assert.deepEqual(pick(await metadata('tenants/acme/db')), { current: 5, oldest: 3, highest: 5 });
});

test('a secret keeps the number of versions that it was made with', async () => {
  const { service, vault, ledger, engine } = await openService({ maxVersions: 2 });
  await service.put(db, { n: '1' });
  const other = new SecretService({ vault, ledger, engine, maxVersions: 5 });
  for (const n of ['2', '3', '4']) await other.put(db, { n });
  await assert.rejects(other.get(db, 2), hasCode('api_not_found'));
  assert.deepEqual({ ...(await other.get(db, 3)).values }, { n: '3' });
});

test('forty puts at once on one path give the versions 1 to 40, and each is what was put', async () => {
  const { service } = await openService({ maxVersions: 40 });
  const given = await Promise.all(
    Array.from(
      { length: 40 },
      async (_, index) => [index, await service.put(db, { n: String(index) })] as const,
    ),
  );
  const sorted = given.map(([, version]) => version).toSorted((a, b) => a - b);
  assert.deepEqual(
    sorted,
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  for (const [index, version] of given)
    assert.equal((await service.get(db, version)).values['n'], String(index));
});

test('puts through two services on one ledger lose nothing: who was slower reads again', async () => {
  const { service, vault, ledger, engine } = await openService({ maxVersions: 100 });
  const other = new SecretService({ vault, ledger, engine, maxVersions: 100 });
  for (let round = 0; round < 20; round += 1) {
    await Promise.all([service.put(db, { n: 'a' }), other.put(db, { n: 'b' })]);
  }
  for (let version = 1; version <= 40; version += 1) assert.ok((await service.get(db, version)).values['n']);
  await assert.rejects(service.get(db, 41), hasCode('api_not_found'));
});

test('a reader is not told of damage when a put prunes what it is about to read', async () => {
  let beforeVersion: (() => Promise<void>) | undefined;
  const { service } = await openService({
    maxVersions: 1,
    wrap: (inner) =>
      interpose(inner, {
        get: async (table, key) => {
          const hook = table === 'secret_version' ? beforeVersion : undefined;
          if (hook !== undefined) beforeVersion = undefined;
          await hook?.();
          return await inner.get(table, key);
        },
      }),
  });
  await service.put(db, { n: '1' });
  beforeVersion = async () => void (await service.put(db, { n: '2' }));
  assert.equal((await service.get(db)).values['n'], '2');
});

test('a version, or a secret, in the place of another is an integrity error', async () => {
  const { service, vault, ledger, keyOf, metadata } = await openService();
  await service.put(db, { n: '1' });
  await service.put(db, { n: '2' });
  const key = keyOf('tenants/acme/db');
  const put = async (table: 'secret' | 'secret_version', row: Row): Promise<void> =>
    await ledger.commit([{ kind: 'put', table, row, expect: 'any' }]);
  const sealed = (path: string, version: number): Row =>
    vault.seal(
      'secret_version',
      vault.versionKey(key, 2),
      { revision: 1, version: 2, field: 0 },
      encodeValues(path, version, { n: 'x' }),
    );
  await put('secret_version', sealed('tenants/acme/db', 1));
  await assert.rejects(service.get(db), hasCode('store_integrity'));
  await put('secret_version', sealed('tenants/acme/other', 2));
  await assert.rejects(service.get(db), hasCode('store_integrity'));
  await put('secret_version', sealed('tenants/acme/db', 2));
  assert.equal((await service.get(db)).values['n'], 'x');
  await ledger.commit([
    { kind: 'delete', table: 'secret_version', key: vault.versionKey(key, 2), expect: 'any' },
  ]);
  await assert.rejects(service.get(db), hasCode('store_integrity'));
  const foreign = { ...(await metadata('tenants/acme/db')), path: 'tenants/acme/other' };
  await put(
    'secret',
    vault.seal('secret', key, { revision: 9, version: 0, field: 0 }, encodeMetadata(foreign)),
  );
  await assert.rejects(service.get(db), hasCode('store_integrity'));
  await assert.rejects(service.put(db, { n: '3' }), hasCode('store_integrity'));
});

test('what a later release keeps in the metadata survives a put and a delete', async () => {
  const { service, vault, ledger, keyOf, metadata } = await openService();
  await service.put(db, { n: '1' });
  const extension = { custom: { owner: 'team' }, labels: ['a'], cas: true };
  const changed = { ...(await metadata('tenants/acme/db')), extension };
  const row = vault.seal(
    'secret',
    keyOf('tenants/acme/db'),
    { revision: 2, version: 0, field: 0 },
    encodeMetadata(changed),
  );
  await ledger.commit([{ kind: 'put', table: 'secret', row, expect: 'any' }]);
  await service.put(db, { n: '2' });
  await service.delete(db, [1]);
  assert.deepEqual((await metadata('tenants/acme/db')).extension, extension);
});

function pick(metadata: SecretMetadata): Pick<SecretMetadata, 'current' | 'oldest' | 'highest'> {
  return { current: metadata.current, oldest: metadata.oldest, highest: metadata.highest };
}
