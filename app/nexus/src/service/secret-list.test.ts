import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../policy/policy.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { grantAll, grantMatching, grantOn } from './testing/grant.ts';
import { countRows, fillPaths, interpose, openService, readPages } from './testing/service.ts';

const db = grantOn('tenants/acme/db');

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
    wrap: (inner) =>
      interpose(inner, {
        list: (table, prefix, options) => {
          prefixes.push(prefix.byteLength);
          return inner.list(table, prefix, options);
        },
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

test('a level shows secrets and directories, each once, at the root and below', async () => {
  const opened = await openService();
  await fillPaths(opened, ['a', 'a/b', 'a/b/c/d', 'a/b/e', 'a/bc/x', 'z/y/x', '__proto__/constructor']);
  const level = async (prefix: string): Promise<readonly string[]> =>
    (await opened.service.list(grantAll, { prefix, recursive: false })).keys;
  assert.deepEqual(await level(''), ['__proto__/', 'a', 'a/', 'z/']);
  assert.deepEqual(await level('a'), ['a', 'a/']);
  assert.deepEqual(await level('a/'), ['a/b', 'a/b/', 'a/bc/']);
  assert.deepEqual(await level('/a/b'), ['a/b', 'a/b/', 'a/bc/']);
  assert.deepEqual(await level('a/b/'), ['a/b/c/', 'a/b/e']);
  assert.deepEqual(await level('__proto__/'), ['__proto__/constructor']);
  assert.deepEqual(await level('a/b/e/'), []);
  assert.deepEqual(await level('a//'), []);
});

test('a level skips what lies deeper: 20 directories of 300 secrets cost a few rows each', async () => {
  const { wrap, counted } = countRows();
  const opened = await openService({ wrap });
  const directories = Array.from({ length: 20 }, (_, index) => `t/d${String(index)}/`).toSorted();
  await fillPaths(
    opened,
    directories.flatMap((directory) =>
      Array.from({ length: 300 }, (_, index) => `${directory}s${String(index)}`),
    ),
  );
  const { keys } = await opened.service.list(grantAll, { prefix: 't/', recursive: false });
  assert.deepEqual(keys, directories);
  assert.ok(counted.rows <= 200, `${String(counted.rows)} rows were read`);
  const read = await readPages(opened.service, grantAll, { prefix: 't/', recursive: false, limit: 3 });
  assert.deepEqual(read, { keys: directories, pages: 7 });
});

test('a directory shows to whom something in it may be listed, and to nobody else', async () => {
  const opened = await openService();
  await fillPaths(opened, ['a/open/x/1', 'a/open/y/2', 'a/shut/x/1', 'a/shut/2', 'b/shut/1', 'shut']);
  const allow = (id: string, pathPattern: string): void => {
    const spiffePattern = `^spiffe://spike.ist/${id}$`;
    const input = { name: id, pathPattern, permissions: ['list'], spiffePattern };
    opened.engine.put(parsePolicy(input, { createdAt: 1, updatedAt: 1 }));
  };
  allow('inside', '^a/open/.*$');
  allow('one', '^a/shut/2$');
  allow('leaves', '^.*/1$');
  const level = async (id: string, prefix: string): Promise<readonly string[]> => {
    const request = { prefix, recursive: false, limit: 2 };
    return (await readPages(opened.service, grantMatching(`spiffe://spike.ist/${id}`), request)).keys;
  };
  assert.deepEqual(await level('inside', ''), ['a/']);
  assert.deepEqual(await level('inside', 'a/'), ['a/open/']);
  assert.deepEqual(await level('inside', 'a/open/'), ['a/open/x/', 'a/open/y/']);
  assert.deepEqual(await level('inside', 'a/shut/'), []);
  assert.deepEqual(await level('one', ''), ['a/']);
  assert.deepEqual(await level('one', 'a/'), ['a/shut/']);
  assert.deepEqual(await level('one', 'a/shut/'), ['a/shut/2']);
  assert.deepEqual(await level('leaves', ''), ['a/', 'b/']);
  assert.deepEqual(await level('leaves', 'a/open/'), ['a/open/x/']);
  assert.deepEqual(await level('leaves', 'a/shut/'), ['a/shut/x/']);
});

test('a cursor of a level is none of a whole list, nor the other way round', async () => {
  const opened = await openService();
  await fillPaths(opened, ['a/1', 'b/1', 'c/1']);
  for (const recursive of [true, false]) {
    const { cursor } = await opened.service.list(grantAll, { limit: 1, recursive });
    assert.ok(cursor !== undefined);
    const swapped = { limit: 1, recursive: !recursive, cursor };
    await assert.rejects(opened.service.list(grantAll, swapped), hasCode('data_invalid_input'));
    assert.equal((await opened.service.list(grantAll, { limit: 9, recursive, cursor })).keys.length, 2);
  }
});

test('a tenant_admin lists what lies at and below the prefix of the tenant, whole, in pages and by level', async () => {
  const { service } = await openService();
  for (const path of [
    'tenants/acme',
    'tenants/acme/a/b',
    'tenants/acme/c',
    'tenants/acmes/d',
    'tenants',
    'x',
  ])
    await service.put(grantOn(path), {});
  const acme = {
    ...grantAll,
    permission: { scope: 'all' as const, tenant: ['tenants', 'acme'] },
  };
  assert.deepEqual((await service.list(acme)).keys, ['tenants/acme', 'tenants/acme/a/b', 'tenants/acme/c']);
  assert.deepEqual((await service.list(acme, { prefix: 'tenants/acmes/' })).keys, []);
  assert.deepEqual((await service.list(acme, { prefix: 'tenants/acme/', recursive: false })).keys, [
    'tenants/acme/a/',
    'tenants/acme/c',
  ]);
  const page = await service.list(acme, { limit: 1 });
  assert.equal(page.keys.length, 1);
  const rest = await service.list(acme, {
    limit: 10,
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
  });
  assert.equal(rest.keys.length, 2);
  assert.equal((await service.list(grantAll)).keys.length, 6);
});

test('a cursor of the list of everything shows a tenant_admin of the same SPIFFE ID nothing beyond the tenant', async () => {
  const { service } = await openService();
  const paths = Array.from({ length: 60 }, (_, n) => `tenants/t${String(n % 6)}/s${String(n)}`);
  for (const path of paths) await service.put(grantOn(path), {});
  const ofTenant = { ...grantAll, permission: { scope: 'all', tenant: ['tenants', 't1'] } } as const;
  for (let limit = 1; limit < 60; limit += 7) {
    const { cursor } = await service.list(grantAll, { limit });
    assert.ok(cursor !== undefined);
    const { keys } = await service.list(ofTenant, { limit: 60, cursor });
    assert.deepEqual(
      keys.filter((path) => !path.startsWith('tenants/t1/')),
      [],
    );
  }
});
