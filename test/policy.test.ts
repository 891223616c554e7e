import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { rolePaths } from '@spike/contract';
import { authorityOf, openCaller, openWorkload } from './caller.ts';
import { repository, System, until, type Outcome } from './system.ts';

let system: System;
before(async () => {
  system = await System.start();
  await system.mustSpike(['secret', 'put', path, 'user=app', `pass=-`], { input: password });
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

const path = 'tenants/acme/db';
const password = 'correct horse battery';
const denied = { code: 'access_unauthorized' };

/** The example's service, in a process of its own that the authority gives this ID and no other. */
async function runExample(id: string): Promise<Outcome> {
  const service = join(repository, 'example', 'workload', 'src', 'main.ts');
  return await system.spike(['authority', 'run', id, '--', join(repository, 'bin', 'node'), service]);
}

async function putPolicy(name: string, workload: string, pathPattern: string, permissions: string[]) {
  await using superuser = await openCaller(system);
  const spiffeidPattern = `^spiffe://spike\\.ist${workload}$`;
  return await superuser.call.putPolicy({ name, spiffeidPattern, pathPattern, permissions });
}

async function deletePolicy(id: string): Promise<void> {
  await using superuser = await openCaller(system);
  await superuser.call.deletePolicy({ id });
}

test('a policy lets one workload in and keeps another out', async () => {
  const before = await runExample('/workload/app');
  assert.equal(before.code, 1);
  assert.match(before.stderr, /access_unauthorized/);

  await putPolicy('acme-app', '/workload/app', 'tenants/acme/.*', ['read']);
  const [app, other] = await Promise.all([runExample('/workload/app'), runExample('/workload/other')]);
  assert.equal(app.code, 0, app.stderr);
  assert.equal(
    app.stdout,
    `connected to the database as app with a password of ${password.length} characters\n`,
  );
  assert.equal(other.code, 1);
  assert.match(other.stderr, /access_unauthorized/);
  for (const { stdout, stderr } of [before, app, other]) assert.ok(!(stdout + stderr).includes(password));
  await deletePolicy('acme-app');
});

test('a change of a policy is in force at the next request of a connection that is open', async () => {
  await using workload = await openWorkload(system, '/workload/next');
  for (let round = 0; round < 3; round++) {
    await assert.rejects(workload.get(path), denied);
    await putPolicy('next', '/workload/next', 'tenants/acme/.*', ['read']);
    assert.equal((await workload.get(path)).field('pass').expose(), password);
    await putPolicy('next', '/workload/next', 'tenants/other/.*', ['read']);
    await assert.rejects(workload.get(path), denied);
    await putPolicy('next', '/workload/next', 'tenants/.*', ['read']);
    assert.equal((await workload.get(path)).field('user').expose(), 'app');
    await deletePolicy('next');
  }
  await assert.rejects(workload.get(path), denied);
});

test('a denied workload is refused on its kept connection, and others go on', async () => {
  await putPolicy('kept', '/workload/[kb].*', 'tenants/acme/.*', ['read']);
  await using kept = await openWorkload(system, '/workload/kept', { retry: false });
  await using by = await openWorkload(system, '/workload/by', { retry: false });
  for (const workload of [kept, by]) assert.equal((await workload.get(path)).field('user').expose(), 'app');
  const id = 'spiffe://spike.ist/workload/kept';
  const put = ['deny', id, '--reason', 'its host is taken over', '--until', '7d', '-f', 'json'];
  const { cut } = JSON.parse(await system.mustSpike(put)) as { cut: number };
  assert.ok(cut >= 1, 'its connection was cut');
  for (let round = 0; round < 3; round++) await assert.rejects(kept.get(path), denied);
  assert.equal((await by.get(path)).field('user').expose(), 'app');
  await using superuser = await openCaller(system);
  const { denials } = await superuser.call.listDenials({});
  assert.deepEqual(
    denials.map(({ spiffeId, reason }) => [spiffeId, reason]),
    [[id, 'its host is taken over']],
  );
  assert.equal((await superuser.call.status({ verify: false })).sizes['denials'], 1);
  const { alerts } = await superuser.call.listAlerts({ all: false, limit: 10 });
  assert.ok(alerts.some(({ kind, subject }) => kind === 'denial_changed' && subject === id));
  for (const forbidden of ['/spike/nexus', '/spike/*', '/*', ''])
    await assert.rejects(
      superuser.call.denyIdentity({ spiffeId: `spiffe://spike.ist${forbidden}`, reason: 'a lock' }),
      { code: 'api_bad_request' },
    );
  await superuser.call.liftDenial({ spiffeId: id });
  assert.equal((await kept.get(path)).field('user').expose(), 'app');
  await deletePolicy('kept');
});

test('a workload whose entry is removed stops at once, and goes on by itself when it is back', async () => {
  await putPolicy('gone', '/workload/gone', 'tenants/acme/.*', ['read']);
  await using workload = await openWorkload(system, '/workload/gone', { retry: false });
  assert.equal((await workload.get(path)).field('user').expose(), 'app');
  const authority = authorityOf(system);
  const own = (await authority.listEntries()).filter(({ spiffeId }) => spiffeId.endsWith('/workload/gone'));
  for (const { id } of own) await authority.deleteEntry(id);
  const isRefused = async (): Promise<boolean> =>
    await workload.get(path).then(
      () => false,
      (error: unknown) => Reflect.get(Object(error), 'code') === 'identity_withdrawn',
    );
  await until('it is told', isRefused);
  assert.ok(await isRefused(), 'and stays so');
  for (const { spiffeId } of own)
    await authority.createEntry({ spiffeId, selectors: [`pid:${process.pid}`] });
  await until('it is served again', () => workload.get(path).catch(() => undefined));
  await deletePolicy('gone');
});

test('each permission gives its own action and no other', async () => {
  await using workload = await openWorkload(system, '/workload/each');
  const attempts = {
    read: () => workload.get(path),
    write: () => workload.put('tenants/acme/scratch', { k: 'v' }),
    list: () => workload.list(),
  };
  for (const permission of ['read', 'write', 'list'] as const) {
    await putPolicy('each', '/workload/each', 'tenants/acme/.*', [permission]);
    for (const [action, attempt] of Object.entries(attempts)) {
      if (action === permission) await attempt();
      else await assert.rejects(attempt(), denied, `${permission} gives ${action}`);
    }
  }
  await putPolicy('each', '/workload/each', 'tenants/acme/.*', ['super']);
  for (const attempt of Object.values(attempts)) await attempt();
  await deletePolicy('each');
});

test('a pattern matches whole strings, and one that would have meant more elsewhere draws a warning', async () => {
  await using workload = await openWorkload(system, '/workload/whole');
  await using beyond = await openWorkload(system, '/workload/whole/below');
  const { warnings } = await putPolicy('whole', '/workload/whole', 'tenants/acme', ['read']);
  assert.ok((warnings ?? []).length > 0);
  await assert.rejects(workload.get(path), denied);
  await putPolicy('whole', '/workload/whole', 'tenants/acme/db', ['read']);
  await workload.get(path);
  await assert.rejects(beyond.get(path), denied);
  await deletePolicy('whole');
});

test('one who may not read a path learns nothing of whether there is something', async () => {
  await using workload = await openWorkload(system, '/workload/curious');
  const failures = await Promise.all(
    [path, 'tenants/acme/nothing-here'].map(async (at) =>
      workload.get(at).then(
        () => assert.fail('it was let in'),
        (error: Error & { code: string }) => [error.code, error.message],
      ),
    ),
  );
  assert.deepEqual(failures[0], failures[1]);
  await putPolicy('curious', '/workload/curious', 'tenants/acme/nothing-.*', ['read']);
  await assert.rejects(workload.get('tenants/acme/nothing-here'), { code: 'api_not_found' });
  await assert.rejects(workload.get(path), denied);
  await deletePolicy('curious');
});

test('a list shows a workload the paths of its policies and no others', async () => {
  await using workload = await openWorkload(system, '/workload/lister');
  await using superuser = await openCaller(system, rolePaths.superuser);
  await using owner = await openWorkload(system, '/workload/owner');
  await putPolicy('owner', '/workload/owner', 'lists/.*', ['super']);
  for (const at of ['lists/one/a', 'lists/one/b', 'lists/two/a']) await owner.put(at, { k: 'v' });
  await assert.rejects(workload.list(), denied);
  await putPolicy('lister', '/workload/lister', 'lists/one/.*', ['list']);
  assert.deepEqual(await workload.list(), ['lists/one/a', 'lists/one/b']);
  const { keys } = await superuser.call.listSecrets({});
  assert.ok(keys.includes('lists/two/a') && keys.includes(path));
  await deletePolicy('lister');
  await deletePolicy('owner');
});

test('what the SDK read does not print, join or turn into JSON as its value', async () => {
  await putPolicy('printer', '/workload/printer', 'tenants/acme/.*', ['read']);
  await using workload = await openWorkload(system, '/workload/printer');
  const secret = await workload.get(path);
  const value = secret.field('pass');
  const shown = [
    inspect(secret, { depth: null, showHidden: true }),
    inspect(value, { depth: null, showHidden: true }),
    inspect([...secret], { depth: null }),
    JSON.stringify(secret),
    JSON.stringify({ value }),
    String(value),
    [value].join(),
  ];
  for (const text of shown) assert.ok(!text.includes(password), text);
  assert.match(inspect(value), /\[secret\]/);
  assert.equal(value.expose(), password);
  await deletePolicy('printer');
});
