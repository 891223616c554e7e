import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { authorizeAny, openPool } from '@spike/spiffe';
import { openCaller, openWorkload, type RoleClient } from './caller.ts';
import { System } from './system.ts';

/* What the page of differences says of policies and of lists under load, byte by byte, as a client of another make sees it. */

const requestMs = 30_000;
const zeroTime = '0001-01-01T00:00:00Z';

let system: System;
let superuser: RoleClient;
let pool: ReturnType<typeof openPool>;
let nexusUrl: string;

before(async () => {
  system = await System.start();
  superuser = await openCaller(system);
  pool = openPool({ source: superuser.source, authorize: authorizeAny() });
  ({ nexusUrl } = await system.context());
});
after(async () => {
  pool[Symbol.dispose]();
  await superuser[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

async function ask(action: string, body: unknown, method = 'POST'): Promise<Answer> {
  const url = `${nexusUrl}/v1/acl/policy${action === '' ? '' : `?action=${action}`}`;
  const answer = await pool.request({
    method,
    url,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    timeoutMs: requestMs,
  });
  return { status: answer.status, json: JSON.parse(answer.body.toString('utf8')) as Answer['json'] };
}

const sound = {
  name: 'compat',
  spiffeidPattern: '^spiffe://spike\\.ist/compat$',
  pathPattern: '^compat/.*$',
  permissions: ['read', 'read', 'list'],
};

/** The failure has the empty fields of its route, the code, and nothing that a Go client would take for an answer. */
async function mustFail(
  action: string,
  body: unknown,
  status: number,
  code: string,
  zero: object,
): Promise<string> {
  const answer = await ask(action, body);
  const { err, message, trail, ...rest } = answer.json;
  assert.deepEqual([answer.status, err], [status, code], JSON.stringify([body, answer.json]));
  assert.equal(typeof trail, 'string');
  assert.deepEqual(rest, zero);
  return String(message);
}

const emptyPolicy = {
  id: '',
  name: '',
  spiffiedPattern: '',
  pathPattern: '',
  permissions: null,
  createdAt: zeroTime,
  updatedAt: zeroTime,
};

test('a policy is put, shown, replaced, listed and deleted in the shapes of the original', async () => {
  assert.deepEqual(await ask('', sound), { status: 200, json: {} });
  const first = await ask('get', { id: 'compat' });
  assert.equal(first.status, 200);
  const { createdAt, updatedAt, ...shown } = first.json;
  assert.deepEqual(shown, {
    id: '',
    name: 'compat',
    spiffiedPattern: sound.spiffeidPattern,
    pathPattern: sound.pathPattern,
    permissions: sound.permissions,
  });
  for (const time of [createdAt, updatedAt])
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  await ask('', { ...sound, permissions: ['write'], pathPattern: '^other/.*$' });
  const second = (await ask('get', { id: 'compat' })).json;
  assert.deepEqual(
    [second['createdAt'], second['permissions'], second['pathPattern']],
    [createdAt, ['write'], '^other/.*$'],
  );
  assert.deepEqual((await ask('list', {})).json, { policies: [{ id: '', name: 'compat' }] });
  assert.deepEqual(await ask('delete', { id: 'compat' }), { status: 200, json: {} });
  assert.deepEqual((await ask('list', { spiffeidPattern: '', pathPattern: '' })).json, { policies: [] });
});

test('a policy that is not there is 404, and one that can’t be is 400 with a sentence, where the original says 500', async () => {
  await mustFail('get', { id: 'nothing' }, 404, 'api_not_found', emptyPolicy);
  await mustFail('delete', { id: 'nothing' }, 404, 'api_not_found', {});
  const refused = async (change: object, sentence: RegExp): Promise<void> => {
    const message = await mustFail('', { ...sound, ...change }, 400, 'api_bad_request', {});
    assert.match(message, sentence);
  };
  await refused({ name: '' }, /1 to 250/);
  await refused({ name: 'a/b' }, /letters, digits/);
  await refused({ spiffeidPattern: '.*' }, /begins with spiffe:/);
  await refused({ spiffeidPattern: 'spiffe://a_b/c' }, /SPIFFE ID pattern/);
  await refused({ pathPattern: 'a b' }, /1 to 500/);
  await refused({ pathPattern: 'a(' }, /not an RE2 expression/);
  await refused({ pathPattern: '(a|b){1000}' }, /too large.*500 are the most/);
  await refused({ pathPattern: 'spike/system' }, /part of the reserved path spike\/system\/acl/);
  await refused(
    { pathPattern: '.*', spiffeidPattern: 'spiffe://spike.ist/a' },
    /must begin with \^ and end with \$/,
  );
  await refused({ permissions: [] }, /at least one/);
  await refused({ permissions: ['Read'] }, /lower case/);
  for (const body of ['', '[]', '{', '{"name":1}']) await mustFail('', body, 400, 'api_bad_request', {});
  await mustFail('get', { id: 'a/b' }, 400, 'api_bad_request', emptyPolicy);
  await mustFail('list', '{', 400, 'api_bad_request', { policies: null });
  assert.equal((await ask('check', {})).status, 400);
  assert.equal((await ask('', sound, 'PUT')).status, 400);
  assert.deepEqual((await ask('list', {})).json, { policies: [] });
});

test('names that objects have of themselves are names of policies like others', async () => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
  for (const name of names) assert.deepEqual((await ask('', { ...sound, name })).json, {});
  for (const name of names) assert.equal((await ask('get', { id: name })).json['name'], name);
  const listed = async () => (await ask('list', {})).json['policies'];
  assert.deepEqual(
    await listed(),
    names.toSorted().map((name) => ({ id: '', name })),
  );
  for (const name of names) assert.equal((await ask('delete', { id: name })).status, 200);
  for (const name of names) await mustFail('get', { id: name }, 404, 'api_not_found', emptyPolicy);
});

test('filters of the list are compared with whole patterns, and the one for SPIFFE IDs wins', async () => {
  await ask('', { ...sound, name: 'f1' });
  await ask('', { ...sound, name: 'f2', pathPattern: '^f2$' });
  await ask('', { ...sound, name: 'f3', spiffeidPattern: '^spiffe://spike\\.ist/f3$' });
  const found = async (filter: object): Promise<unknown> =>
    ((await ask('list', filter)).json['policies'] as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(await found({ pathPattern: '^f2$' }), ['f2']);
  assert.deepEqual(await found({ pathPattern: 'f2' }), []);
  assert.deepEqual(await found({ spiffeidPattern: '^spiffe://spike\\.ist/f3$' }), ['f3']);
  assert.deepEqual(await found({ spiffeidPattern: sound.spiffeidPattern, pathPattern: '^f2$' }), [
    'f1',
    'f2',
  ]);
  for (const id of ['f1', 'f2', 'f3']) await ask('delete', { id });
});

test('forty lists at once are all whole, and gets among them are answered', async () => {
  const paths = Array.from({ length: 150 }, (_, index) => `crowd/${String(index).padStart(3, '0')}`);
  await using writer = await openWorkload(system, '/workload/crowd');
  await ask('', {
    name: 'crowd',
    spiffeidPattern: '^spiffe://spike\\.ist/workload/crowd$',
    pathPattern: '^crowd/.*$',
    permissions: ['super'],
  });
  await Promise.all(paths.map(async (path) => await writer.put(path, { k: path })));
  const lists = Array.from({ length: 40 }, async () => await writer.list());
  const gets = paths.map(async (path) => (await writer.get(path)).field('k').expose());
  for (const listed of await Promise.all(lists)) assert.deepEqual(listed, paths);
  assert.deepEqual(await Promise.all(gets), paths);
  await ask('delete', { id: 'crowd' });
});
