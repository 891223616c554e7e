import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatJson, SecretPath, toValueMap } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import type { Spike } from '@spike/sdk';
import { authorizeAny, openPool, SpiffeError } from '@spike/spiffe';
import { openCaller, openWorkload, type RoleClient } from './caller.ts';
import { openScratch, System } from './system.ts';

/* Secrets and lists from the outside, over mTLS, against one running system. */

const requestMs = 30_000;
const KiB = 1024;
const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
const zeroTime = '0001-01-01T00:00:00Z';

let scratch: Awaited<ReturnType<typeof openScratch>>;
let system: System;
let caller: RoleClient;
let raw: Raw;

before(async () => {
  scratch = await openScratch();
  await open({});
});
after(async () => {
  await close();
  await scratch[Symbol.asyncDispose]();
});

async function open(env: Readonly<Record<string, string>>): Promise<void> {
  system = await System.start({ home: scratch.path, env });
  caller = await openCaller(system);
  raw = await openRaw(caller);
}

async function close(): Promise<void> {
  raw[Symbol.dispose]();
  await caller[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
}

interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

interface Raw extends Disposable {
  /** The first argument is the action, or the whole path of another route. */
  send(route: string, body: Uint8Array | string): Promise<RawAnswer>;
}

/** What a client of another make would send, byte by byte. */
async function openRaw({ source }: RoleClient): Promise<Raw> {
  const { nexusUrl } = await system.context();
  const pool = openPool({ source, authorize: authorizeAny() });
  return {
    send: async (route, body) => {
      const path = route.startsWith('/') ? route : `/v1/store/secrets${route && `?action=${route}`}`;
      const url = `${nexusUrl}${path}`;
      const answer = await pool.request({ method: 'POST', url, body, timeoutMs: requestMs });
      const text = answer.body.toString('utf8');
      return { status: answer.status, text, json: JSON.parse(text) as Record<string, unknown> };
    },
    [Symbol.dispose]: () => pool[Symbol.dispose](),
  };
}

const metadataRoute = '/v1/store/secrets/metadata?action=get';
const path = (text: string): SecretPath => SecretPath.parse(text);
const codeOf = (thrown: unknown): string => toSpikeError(thrown).code;

async function openSpike(
  workload: string,
  permissions: readonly string[],
  pathPattern: string,
): Promise<Spike> {
  await caller.call.putPolicy({
    name: `secret-test${workload.replaceAll('/', '-')}`,
    spiffeidPattern: `^spiffe://spike\\.ist${workload}$`,
    pathPattern,
    permissions: [...permissions],
  });
  return await openWorkload(system, workload);
}

test('a Go client sees the shapes that it knows, and a number more', async () => {
  assert.deepEqual((await raw.send('', '{"path":"go/a","values":{"k":"v"}}')).json, { version: 1 });
  assert.deepEqual((await raw.send('get', '{"path":"go/a"}')).json, { data: { k: 'v' }, version: 1 });
  assert.deepEqual((await raw.send('delete', '{"path":"go/a","versions":null}')).json, {});
  const gone = await raw.send('get', '{"path":"go/a","version":0}');
  assert.deepEqual([gone.status, gone.json['data'], gone.json['err']], [404, null, 'api_not_found']);
  assert.deepEqual((await raw.send('undelete', '{"path":"go/a","versions":[0]}')).json, {});
  const shown = await raw.send(metadataRoute, '{"path":"go/a"}');
  assert.match(
    shown.text,
    /^{"versions":{"1":{"createdTime":"[\d-]+T[\d:.]+Z","version":1,"deletedTime":null}},"metadata":{"currentVersion":1,"oldestVersion":1,"createdTime":"[^"]+","updatedTime":"[^"]+","maxVersions":10}}$/,
  );
  const missing = await raw.send(metadataRoute, '{"path":"go/nowhere"}');
  assert.equal(missing.status, 404);
  assert.deepEqual(missing.json['metadata'], {
    currentVersion: 0,
    oldestVersion: 0,
    createdTime: zeroTime,
    updatedTime: zeroTime,
    maxVersions: 0,
  });
  assert.equal('versions' in missing.json, false);
});

test('undelete, destroy, metadata and compare-and-set hold together from the outside', async () => {
  await using app = await openSpike('/workload/owner', ['read', 'write'], 'life/.*');
  const at = 'life/db';
  for (const n of ['1', '2', '3']) await app.put(at, { n });
  await app.delete(at, { versions: [1, 2, 3] });
  const dead = await app.metadata(at);
  assert.deepEqual(
    [dead.current, dead.versions.map(({ version, deletedAt }) => [version, deletedAt !== undefined])],
    [0, [1, 2, 3].map((version) => [version, true])],
  );
  await app.undelete(at);
  assert.equal((await app.get(at)).version, 3);
  await app.undelete(at);
  assert.equal((await app.get(at, { version: 2 })).field('n').expose(), '2');
  await app.destroy(at, { versions: [3] });
  assert.equal((await app.get(at)).version, 2);
  await assert.rejects(app.undelete(at, { versions: [3] }), { code: 'api_not_found' });
  assert.deepEqual(await app.put(at, { n: '4' }, { cas: 2 }), { version: 4 });
  await assert.rejects(app.put(at, { n: '5' }, { cas: 2 }), { code: 'entity_version_conflict' });
  await app.setMetadata(at, { owner: 'ann', labels: { team: 'shop' }, maxVersions: 1 });
  const { current, maxVersions, owner, labels, versions } = await app.metadata(at);
  assert.deepEqual([current, maxVersions, owner, labels['team'], versions.length], [4, 1, 'ann', 'shop', 1]);
  await app.destroy(at, { all: true });
  await assert.rejects(app.metadata(at), { code: 'api_not_found' });
  assert.deepEqual(await app.put(at, { n: '1' }, { cas: 0 }), { version: 1 });
  const conflict = await raw.send('', '{"path":"life/db","values":{},"cas":7}');
  assert.deepEqual([conflict.status, conflict.json['err']], [409, 'entity_version_conflict']);
});

test('whoever may only read changes nothing, and whoever may only write sees nothing', async () => {
  await using owner = await openSpike('/workload/both', ['read', 'write'], 'guard/.*');
  await owner.put('guard/s', { n: '1' });
  await using reader = await openSpike('/workload/reader', ['read'], 'guard/.*');
  await using writer = await openSpike('/workload/writer', ['write'], 'guard/.*');
  const denied = { code: 'access_unauthorized' };
  await assert.rejects(reader.put('guard/s', {}), denied);
  await assert.rejects(reader.undelete('guard/s'), denied);
  await assert.rejects(reader.destroy('guard/s', { all: true }), denied);
  await assert.rejects(reader.setMetadata('guard/s', { owner: 'x' }), denied);
  await assert.rejects(writer.get('guard/s'), denied);
  await assert.rejects(writer.metadata('guard/s'), denied);
  assert.equal((await reader.metadata('guard/s')).current, 1);
  await writer.setMetadata('guard/s', { owner: 'x' });
  await writer.destroy('guard/s', { versions: [1] });
  assert.deepEqual((await owner.metadata('guard/s')).versions, []);
});

test('of twenty callers that follow the same version one wins, in each of ten rounds', async () => {
  await using stack = new AsyncDisposableStack();
  const callers = await Promise.all(Array.from({ length: 20 }, () => openCaller(system)));
  for (const one of callers) stack.use(one);
  for (let cas = 0; cas < 10; cas += 1) {
    const outcomes = await Promise.allSettled(
      callers.map(({ call }, index) =>
        call.putSecret({ path: path('race/s'), values: toValueMap({ by: `${cas}-${index}` }), cas }),
      ),
    );
    const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
    assert.equal(winners.length, 1, `round ${cas}`);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') assert.equal(codeOf(outcome.reason), 'entity_version_conflict');
    const { data, version } = await caller.call.getSecret({ path: path('race/s'), version: 0 });
    assert.deepEqual([data['by'], version], [`${cas}-${winners[0]}`, cas + 1]);
  }
});

test('bytes go in and come out as bytes, and a client that knows none sees base64', async () => {
  await using app = await openSpike('/workload/binary', ['read', 'write'], 'binary/.*');
  const every = Uint8Array.from({ length: 256 }, (_, index) => index);
  await app.put('binary/key', { every, text: 'AQID' });
  const secret = await app.get('binary/key');
  assert.deepEqual(secret.field('every').exposeBytes(), every);
  assert.equal(secret.field('text').expose(), 'AQID');
  const { json } = await raw.send('get', '{"path":"binary/key"}');
  assert.deepEqual(json, {
    data: { every: Buffer.from(every).toString('base64'), text: 'AQID' },
    version: 1,
    encoding: { every: 'base64' },
  });
  for (const [value, encoding] of [
    ['AQI', 'base64'],
    ['AQI-', 'base64'],
    ['AQID\\n', 'base64'],
    ['AQID', 'hex'],
  ]) {
    const bad = await raw.send(
      '',
      `{"path":"binary/bad","values":{"k":"${value}"},"encoding":{"k":"${encoding}"}}`,
    );
    assert.deepEqual([bad.status, bad.json['err']], [400, 'api_bad_request'], `${value} ${encoding}`);
  }
  const stray = await raw.send(
    '',
    '{"path":"binary/bad","values":{"k":"AQID"},"encoding":{"other":"base64"}}',
  );
  assert.equal(stray.status, 400);
  assert.equal((await raw.send('get', '{"path":"binary/bad"}')).status, 404);
});

test('what is no Unicode is refused, and stored as nothing else', async () => {
  const put = (value: Uint8Array): Uint8Array =>
    Buffer.concat([Buffer.from('{"path":"text/bad","values":{"k":"'), value, Buffer.from('"}}')]);
  for (const bytes of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
    assert.equal((await raw.send('', put(Uint8Array.from(bytes)))).status, 400, String(bytes));
  }
  for (const escape of ['\\ud800', '\\udc00x', '\\udc00\\ud800']) {
    assert.equal((await raw.send('', put(Buffer.from(escape)))).status, 400, escape);
  }
  const label = await raw.send(
    '/v1/store/secrets/metadata?action=set',
    '{"path":"text/bad","labels":{"a":"\\ud800"}}',
  );
  assert.equal(label.status, 400);
  assert.equal((await raw.send('get', '{"path":"text/bad"}')).status, 404);
  assert.equal((await raw.send('', put(Buffer.from('\\ud83d\\ude00')))).status, 200);
  assert.deepEqual((await raw.send('get', '{"path":"text/bad"}')).json['data'], { k: '😀' });
});

test('a value has 64 KiB and a secret 1 MiB, however they are written, and one byte more is told so', async () => {
  const put = (at: string, values: Record<string, string>, encoding: Record<string, string> = {}) =>
    raw.send('', formatJson({ path: at, values, encoding }));
  const full = (text: string, count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, text]));
  assert.equal((await put('size/a', { k: 'x'.repeat(64 * KiB) })).status, 200);
  const value = await put('size/a', { k: 'x'.repeat(64 * KiB + 1) });
  assert.deepEqual([value.status, value.json['err']], [413, 'api_payload_too_large']);
  assert.match(String(value.json['message']), /at most 65536 bytes.*SPIKE_NEXUS_MAX_VALUE_BYTES/);
  const bytes = Buffer.alloc(64 * KiB + 1, 1);
  const encoding = { k: 'base64' };
  assert.equal((await put('size/b', { k: bytes.subarray(1).toString('base64') }, encoding)).status, 200);
  assert.equal((await put('size/b', { k: bytes.toString('base64') }, encoding)).status, 413);
  // 15 of the largest fit with their names, also where JSON writes each byte as six; 16 do not.
  assert.equal((await put('size/c', full('\u0001'.repeat(64 * KiB), 15))).status, 200);
  const secret = await put('size/c', full('x'.repeat(64 * KiB), 16));
  assert.equal(secret.status, 413);
  assert.match(String(secret.json['message']), /at most 1048576 bytes.*SPIKE_NEXUS_MAX_SECRET_BYTES/);
  // No body of this size is read at all: the answer may be overtaken by the end of the connection.
  const unread = await put('size/d', full('\u0001'.repeat(64 * KiB), 18)).catch((error: unknown) => error);
  if (unread instanceof SpiffeError) assert.equal(unread.code, 'connection_lost');
  else assert.equal(Reflect.get(Object(unread), 'status'), 413);
  const read = await caller.call.getSecret({ path: path('size/c'), version: 0 });
  assert.deepEqual([Object.keys(read.data).length, read.data['key14']?.length], [15, 64 * KiB]);
  assert.equal((await raw.send('get', '{"path":"size/d"}')).status, 404);
});

test('names that objects have of themselves are names like others: paths, keys, labels, policies', async () => {
  await using app = await openSpike('/workload/odd', ['read', 'write', 'list'], '(__proto__|constructor)/.*');
  const values = JSON.parse(`{${odd.map((name) => `"${name}":"${name}!"`).join()}}`) as Record<
    string,
    string
  >;
  for (const name of odd) {
    const at = `__proto__/${name}`;
    await app.put(at, values);
    await app.setMetadata(at, { labels: values });
    const secret = await app.get(at);
    assert.deepEqual(
      [...secret].map(([key, one]) => [key, one.expose()]),
      Object.entries(values),
    );
    assert.deepEqual(Object.entries((await app.metadata(at)).labels), Object.entries(values));
    await caller.call.putPolicy({
      name,
      spiffeidPattern: '^spiffe://spike\\.ist/odd$',
      pathPattern: name,
      permissions: ['read'],
    });
    assert.equal((await caller.call.getPolicy({ id: name })).pathPattern, name);
  }
  assert.deepEqual(await app.list(), odd.map((name) => `__proto__/${name}`).toSorted());
  assert.deepEqual(await app.list({ recursive: false }), ['__proto__/']);
  await assert.rejects(app.get('constructor/toString'), { code: 'api_not_found' });
  const { policies } = await caller.call.listPolicies({ spiffeidPattern: '', pathPattern: '' });
  for (const name of odd) {
    assert.ok(policies.some((policy) => policy.name === name));
    await caller.call.deletePolicy({ id: name });
    await assert.rejects(caller.call.getPolicy({ id: name }), { code: 'api_not_found' });
  }
});

test('pages show what stays exactly once, while others write and destroy', async () => {
  const staying = Array.from({ length: 120 }, (_, index) => `page/d${index % 9}/s${index}`).toSorted();
  await Promise.all(staying.map((at) => caller.call.putSecret({ path: path(at), values: toValueMap({}) })));
  await using other = await openCaller(system);
  let writing = true;
  const churn = async (): Promise<number> => {
    let count = 0;
    for (; writing; count += 1) {
      const at = path(`page/d${count % 9}/churn${count % 30}`);
      await other.call.putSecret({ path: at, values: toValueMap({}) });
      if (count % 2 === 0) await other.call.destroySecret({ path: at, all: true });
    }
    return count;
  };
  const churned = churn();
  try {
    for (const limit of [1, 7, 50]) {
      const seen: string[] = [];
      const levels: string[] = [];
      for (const [recursive, into] of [
        [true, seen],
        [false, levels],
      ] as const) {
        let cursor: string | undefined;
        do {
          const more = cursor === undefined ? {} : { cursor };
          const page = await caller.call.listSecrets({ prefix: 'page/', limit, recursive, ...more });
          assert.ok(page.keys.length <= limit);
          into.push(...page.keys);
          ({ cursor } = page);
        } while (cursor !== undefined);
      }
      assert.deepEqual(seen.filter((at) => !at.includes('churn')).toSorted(), staying);
      assert.deepEqual(
        levels.toSorted(),
        Array.from({ length: 9 }, (_, index) => `page/d${index}/`),
      );
    }
  } finally {
    writing = false;
  }
  assert.ok((await churned) > 0);
});

test('a list shows what a policy lists and no directory besides', async () => {
  for (const at of ['tree/open/a/1', 'tree/open/2', 'tree/shut/1', 'tree/half/open', 'tree/half/shut'])
    await caller.call.putSecret({ path: path(at), values: toValueMap({}) });
  await using app = await openSpike('/workload/lister', ['list'], 'tree/(open/.*|half/open)');
  assert.deepEqual(await app.list(), ['tree/half/open', 'tree/open/2', 'tree/open/a/1']);
  assert.deepEqual(await app.list({ recursive: false }), ['tree/']);
  assert.deepEqual(await app.list({ prefix: 'tree/', recursive: false }), ['tree/half/', 'tree/open/']);
  assert.deepEqual(await app.list({ prefix: 'tree/half/', recursive: false }), ['tree/half/open']);
  assert.deepEqual(await app.list({ prefix: 'tree/shut/' }), []);
  const { cursor } = await caller.call.listSecrets({ prefix: 'tree/', limit: 1 });
  assert.ok(cursor !== undefined);
  await using stranger = await openCaller(system, '/workload/lister');
  await assert.rejects(stranger.call.listSecrets({ prefix: 'tree/', limit: 1, cursor }), {
    code: 'api_bad_request',
  });
});

test('a list without pages is whole and sorted up to 10,000 paths, and refused in words above', async () => {
  const { keys: earlier } = await caller.call.listSecrets({});
  assert.deepEqual(earlier, earlier.toSorted());
  const missing = 10_000 - earlier.length;
  const writers = Array.from({ length: 32 }, async (_, writer) => {
    for (let n = writer; n < missing; n += 32)
      await caller.call.putSecret({ path: path(`whole/${n % 100}/${n}`), values: toValueMap({}) });
  });
  await Promise.all(writers);
  const { json } = await raw.send('list', '{}');
  const keys = json['keys'] as readonly string[];
  assert.deepEqual([keys.length, keys], [10_000, keys.toSorted()]);
  await caller.call.putSecret({ path: path('zz/one-more'), values: toValueMap({}) });
  const refused = await raw.send('list', '{}');
  assert.deepEqual(
    [refused.status, refused.json['keys'], refused.json['err']],
    [400, null, 'api_bad_request'],
  );
  assert.match(String(refused.json['message']), /10000 paths.*limit and cursor/);
  await using app = await openSpike('/workload/all', ['list'], '.*');
  assert.equal((await app.list()).length, 10_001);
  assert.equal((await raw.send('list', '{"prefix":"whole/7/"}')).status, 200);
});

test('a restart changes nothing of all this, and takes other limits', async () => {
  const at = path('restart/s');
  for (const n of ['1', '2', '3']) await caller.call.putSecret({ path: at, values: toValueMap({ n }) });
  await caller.call.destroySecret({ path: at, versions: [3] });
  await caller.call.deleteSecret({ path: at, versions: [2] });
  await caller.call.setMetadata({ path: at, owner: 'ann', maxVersions: 3 });
  const before = await caller.call.getMetadata({ path: at, version: 0 });
  await close();
  await open({
    SPIKE_NEXUS_MAX_VALUE_BYTES: String(128 * KiB),
    SPIKE_NEXUS_MAX_SECRET_BYTES: String(3072 * KiB),
  });
  assert.deepEqual(await caller.call.getMetadata({ path: at, version: 0 }), before);
  assert.deepEqual({ ...(await caller.call.getSecret({ path: at, version: 0 })).data }, { n: '1' });
  const values = toValueMap({ n: '\u0001'.repeat(128 * KiB) });
  assert.deepEqual(await caller.call.putSecret({ path: at, values, cas: 1 }), { version: 4 });
  const many = Object.fromEntries(Array.from({ length: 23 }, (_, index) => [`k${index}`, values['n']]));
  assert.deepEqual(await caller.call.putSecret({ path: at, values: toValueMap(many) }), { version: 5 });
  assert.equal((await caller.call.getSecret({ path: at, version: 5 })).data['k22'], values['n']);
});
