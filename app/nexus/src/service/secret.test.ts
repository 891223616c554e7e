import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '@spike/store';
import { PolicyEngine } from '../policy/engine.ts';
import { parsePolicy } from '../policy/policy.ts';
import type { Ledger } from '../vault/port.ts';
import { createTestInstance, hasCode, openTestLedger } from '../vault/testing/instance.ts';
import { SecretService } from './secret.ts';
import { decodeMetadata, encodeMetadata, encodeValues, type SecretMetadata } from './secret-record.ts';
import { createClock, grantAll, grantMatching, grantOn } from './testing/grant.ts';

const db = grantOn('tenants/acme/db');

async function openService(options: { maxVersions?: number; wrap?: (ledger: Ledger) => Ledger } = {}) {
  const made = await createTestInstance();
  const opened = await openTestLedger(made);
  const ledger = options.wrap?.(opened) ?? opened;
  const { vault } = made.instance;
  const engine = new PolicyEngine();
  const { maxVersions = 10 } = options;
  const service = new SecretService({ vault, ledger, engine, maxVersions, now: createClock() });
  const keyOf = (path: string): Uint8Array => vault.key('secret', path.split('/'));
  const metadata = async (path: string): Promise<SecretMetadata> => {
    const row = await ledger.get('secret', keyOf(path));
    assert.ok(row !== undefined);
    return decodeMetadata(vault.open('secret', row));
  };
  return { store: made.store, ledger, vault, engine, service, keyOf, metadata };
}

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
    wrap: (inner) => ({
      revision: 0,
      get: async (table, key) => {
        const hook = table === 'secret_version' ? beforeVersion : undefined;
        if (hook !== undefined) beforeVersion = undefined;
        await hook?.();
        return await inner.get(table, key);
      },
      list: (...args) => inner.list(...args),
      commit: (...args) => inner.commit(...args),
      recorded: () => undefined,
      settled: true,
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

test('a list of all shows every path in byte order, deleted ones too', async () => {
  const { service } = await openService();
  const paths = [
    'b',
    'a/b',
    'a',
    'B',
    'a-b',
    'a/B/c',
    ...Array.from({ length: 250 }, (_, n) => `many/${String(n)}`),
  ];
  for (const path of paths) await service.put(grantOn(path), {});
  await service.delete(grantOn('b'), null);
  const expected = paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual((await service.list(grantAll)).keys, expected);
  await assert.rejects(service.list(grantAll, {}, AbortSignal.abort(new Error('gone'))), /gone/);
});

test('a peer sees the paths on which a policy gives it list; one whom no policy gives any is refused', async () => {
  const { service, engine } = await openService();
  for (const path of [
    'tenants/acme',
    'tenants/acme/db',
    'tenants/acme/x/y',
    'tenants/acme2/db',
    'other/db',
    'one',
  ]) {
    await service.put(grantOn(path), {});
  }
  const allow = (name: string, pathPattern: string, permissions: string[], id = 'web'): void => {
    const spiffePattern = `^spiffe://spike.ist/${id}$`;
    engine.put(
      parsePolicy({ name, pathPattern, permissions, spiffePattern }, { createdAt: 1, updatedAt: 1 }),
    );
  };
  const list = async (id: string): Promise<readonly string[]> =>
    (await service.list(grantMatching(`spiffe://spike.ist/${id}`))).keys;
  await assert.rejects(list('web'), hasCode('access_unauthorized'));
  allow('reader', '^other/.*$', ['read', 'write', 'execute']);
  await assert.rejects(list('web'), hasCode('access_unauthorized'));
  allow('a', '^tenants/acme/.*$', ['list']);
  assert.deepEqual(await list('web'), ['tenants/acme/db', 'tenants/acme/x/y']);
  allow('b', '^one$', ['super']);
  allow('c', '^tenants/acme/x/.*$', ['list']);
  assert.deepEqual(await list('web'), ['one', 'tenants/acme/db', 'tenants/acme/x/y']);
  allow('d', '.*/db', ['list'], 'ops');
  assert.deepEqual(await list('ops'), ['other/db', 'tenants/acme/db', 'tenants/acme2/db']);
  allow('e', '^nothing/here$', ['list'], 'idle');
  assert.deepEqual(await list('idle'), []);
  await assert.rejects(list('webs'), hasCode('access_unauthorized'));
});

test('a scoped list reads the subtrees of its policies and nothing else', async () => {
  const prefixes: number[] = [];
  const { service, engine } = await openService({
    wrap: (inner) => ({
      revision: 0,
      get: (...args) => inner.get(...args),
      list: (table, prefix, options) => {
        prefixes.push(prefix.byteLength);
        return inner.list(table, prefix, options);
      },
      commit: (...args) => inner.commit(...args),
      recorded: () => undefined,
      settled: true,
    }),
  });
  const policy = {
    name: 'p',
    pathPattern: '^tenants/acme/.*$',
    permissions: ['list'],
    spiffePattern: '^spiffe://spike.ist/web$',
  };
  engine.put(parsePolicy(policy, { createdAt: 1, updatedAt: 1 }));
  await service.put(db, {});
  assert.deepEqual((await service.list(grantMatching('spiffe://spike.ist/web'))).keys, ['tenants/acme/db']);
  assert.deepEqual(prefixes, [32]);
});

test('pages show each path once, whoever else writes meanwhile, and a cursor is bound to its list', async () => {
  const { service, engine } = await openService();
  const paths = Array.from({ length: 230 }, (_, n) => `tenants/t${String(n % 7)}/s${String(n)}`);
  for (const path of [...paths, 'other/a', 'other/b']) await service.put(grantOn(path), {});
  const allow = (name: string, pathPattern: string): void => {
    const input = { name, pathPattern, permissions: ['list'], spiffePattern: '^spiffe://spike.ist/web$' };
    engine.put(parsePolicy(input, { createdAt: 1, updatedAt: 1 }));
  };
  allow('a', '^tenants/t1/.*$');
  allow('b', '^tenants/t2/s.*$');
  allow('c', '^tenants/t2/s9$');
  allow('d', '^other/a$');
  const web = grantMatching('spiffe://spike.ist/web');
  const readAll = async (grant: typeof web, limit: number, prefix?: string): Promise<string[]> => {
    const found: string[] = [];
    let cursor: string | undefined;
    let rounds = 0;
    do {
      const request = {
        limit,
        ...(prefix === undefined ? {} : { prefix }),
        ...(cursor === undefined ? {} : { cursor }),
      };
      const page = await service.list(grant, request);
      assert.ok(page.keys.length <= limit);
      found.push(...page.keys);
      cursor = page.cursor;
      await service.put(grantOn('tenants/t1/s1'), {});
      rounds += 1;
      assert.ok(rounds < 1000, 'the cursor makes no way');
    } while (cursor !== undefined);
    return found.toSorted();
  };
  const expected = [...paths.filter((path) => /\/t[12]\//.test(path)), 'other/a'].toSorted();
  for (const limit of [1, 7, 64, 1000]) assert.deepEqual(await readAll(web, limit), expected);
  assert.deepEqual(await readAll(grantAll, 50), [...paths, 'other/a', 'other/b'].toSorted());
  assert.deepEqual(
    await readAll(web, 9, 'tenants/t2/s1'),
    expected.filter((path) => path.startsWith('tenants/t2/s1')),
  );
  assert.deepEqual(await readAll(grantAll, 9, '/other/'), ['other/a', 'other/b']);
  assert.deepEqual(await readAll(web, 9, 'tenants/t3/'), []);
  assert.deepEqual(await readAll(web, 9, 'a//b'), []);
  const { cursor } = await service.list(web, { limit: 2 });
  assert.ok(cursor !== undefined);
  await assert.rejects(service.list(grantAll, { limit: 2, cursor }), hasCode('data_invalid_input'));
  await assert.rejects(
    service.list(web, { limit: 2, cursor, prefix: 'other/' }),
    hasCode('data_invalid_input'),
  );
});

function pick(metadata: SecretMetadata): Pick<SecretMetadata, 'current' | 'oldest' | 'highest'> {
  return { current: metadata.current, oldest: metadata.oldest, highest: metadata.highest };
}
