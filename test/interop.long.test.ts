import assert from 'node:assert/strict';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { after, before, test } from 'node:test';
import {
  authorizeId,
  BundleServer,
  fetchBundle,
  JwtBundle,
  JwtBundleSet,
  openPool,
  parseEndpoint,
  SpiffeBundle,
  SpiffeId,
  TrustDomain,
  verifyJwtSvid,
  WorkloadClient,
  X509Source,
  type EndpointProfile,
} from '@spike/spiffe';
import { authorityOf } from './caller.ts';
import { buildGo, buildPython, type GoPrograms, type PythonClient } from './interop/build.ts';
import { Program, type Said } from './interop/program.ts';
import { repository, System } from './system.ts';

const lifeSeconds = 20;
const trustDomain = 'spike.ist';
const superuser = `spiffe://${trustDomain}/spike/pilot/role/superuser`;
const nexus = `spiffe://${trustDomain}/spike/nexus`;
/** "Felt at once": what a loaded machine needs for it, and well before the next certificate, which would tell as well. */
const atOnceMs = 1_000;

let system: System;
let go: GoPrograms;
let python: PythonClient;
let environment: Record<string, string>;
before(async () => {
  go = await buildGo();
  python = await buildPython();
  system = await System.start({ args: ['--svid-lifetime', `${lifeSeconds}s`, '--rotate-every', '2s'] });
  const { endpointSocket, nexusUrl } = await system.context();
  environment = {
    SPIKE_HOME: system.home.root,
    SPIFFE_ENDPOINT_SOCKET: endpointSocket,
    SPIKE_NEXUS_API_URL: nexusUrl,
    SPIKE_TRUST_ROOT_NEXUS: trustDomain,
  };
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

type Command = readonly [string, ...string[]];

const goSpiffe = (...args: readonly string[]): Command => [go.spiffe, ...args];
const pySpiffe = (...args: readonly string[]): Command => [python.python, python.script, ...args];

/** As a caller whom the authority knows by its uid alone. */
function start([command, ...args]: Command): Program {
  return Program.start(command, args, environment);
}

/** Through `spike authority run ID -- program`. */
function startAs(path: string, command: Command): Program {
  const spike = [`${repository}/bin/spike.mjs`, 'authority', 'run', path, '--', ...command];
  return Program.start(process.execPath, spike, environment);
}

async function outcomeAs(path: string, command: Command): Promise<Said> {
  await using program = startAs(path, command);
  return await program.next(`an outcome of ${command.join(' ')}`);
}

async function outcome(command: Command): Promise<Said> {
  await using program = start(command);
  return await program.next(`an outcome of ${command.join(' ')}`);
}

async function deleteEntriesOf(id: string): Promise<void> {
  const authority = authorityOf(system);
  const entries = (await authority.listEntries()).filter(({ spiffeId }) => spiffeId === id);
  assert.ok(entries.length > 0, `there is no entry for ${id}`);
  for (const entry of entries) await authority.deleteEntry(entry.id);
}

test('go-spiffe gets the ID that run gave it and no other, and verifies it with the bundle that it got', async () => {
  const { ids, bundles, bundlesAlone, lifeSeconds: life } = await outcomeAs('/go/one', goSpiffe('fetch'));
  assert.deepEqual(ids, [`spiffe://${trustDomain}/go/one`]);
  assert.deepEqual(bundles, { [trustDomain]: 1 });
  assert.equal(bundlesAlone, true);
  // The authority may date the beginning back for clocks that are behind.
  assert.ok(typeof life === 'number' && life >= lifeSeconds && life < 10 * lifeSeconds, String(life));
});

test('py-spiffe gets the ID that run gave it and no other, with the bundle of the trust domain', async () => {
  const id = `spiffe://${trustDomain}/python/one`;
  const said = await outcomeAs('/python/one', pySpiffe('fetch'));
  assert.deepEqual(said, { ids: [id], default: id, bundles: { [trustDomain]: 1 } });
});

test('both clients see all IDs of a caller by its uid, the older entry first', async () => {
  const id = `spiffe://${trustDomain}/both/second`;
  await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', id]);
  try {
    assert.deepEqual((await outcome(goSpiffe('fetch')))['ids'], [superuser, id]);
    const said = await outcome(pySpiffe('fetch'));
    assert.deepEqual([said['ids'], said['default']], [[superuser, id], superuser]);
  } finally {
    await deleteEntriesOf(id);
  }
});

test('watchers of both clients see three certificates of one ID, each a new one', async () => {
  await Promise.all(
    [goSpiffe('watch'), pySpiffe('watch')].map(async (command, index) => {
      const path = `/watch/${index}`;
      await using program = startAs(path, command);
      const serials = new Set<unknown>();
      while (serials.size < 3) {
        const said = await program.next('another certificate');
        assert.deepEqual(said['ids'], [`spiffe://${trustDomain}${path}`], JSON.stringify(said));
        assert.ok(!serials.has(said['serial']), 'one certificate was pushed twice');
        serials.add(said['serial']);
      }
    }),
  );
});

test('a caller without an entry gets PermissionDenied, and its identity whenever there is one', async () => {
  await deleteEntriesOf(superuser);
  try {
    const denied = await outcome(goSpiffe('fetch'));
    assert.equal(denied['code'], 'PermissionDenied', JSON.stringify(denied));
    assert.match(String((await outcome(pySpiffe('fetch')))['error']), /PERMISSION_DENIED|PermissionDenied/);
    await using goes = start(goSpiffe('watch'));
    await using python = start(pySpiffe('watch'));
    for (let round = 0; round < 2; round++) {
      for (const program of [goes, python]) await program.find('a refusal', (said) => 'error' in said);
      await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', superuser]);
      for (const program of [goes, python]) {
        const found = await program.find('an identity', (said) => 'ids' in said);
        assert.deepEqual(found['ids'], [superuser]);
      }
      await deleteEntriesOf(superuser);
    }
  } finally {
    await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', superuser]);
  }
});

test('watchers of both clients feel at once that their entry was deleted', async () => {
  await Promise.all(
    [goSpiffe('watch'), pySpiffe('watch')].map(async (command, index) => {
      const path = `/deleted/${index}`;
      await using program = startAs(path, command);
      const first = await program.next('an identity');
      assert.deepEqual(first['ids'], [`spiffe://${trustDomain}${path}`], JSON.stringify(first));
      await deleteEntriesOf(`spiffe://${trustDomain}${path}`);
      const started = performance.now();
      const said = await program.find('that it is gone', (one) => 'error' in one);
      assert.ok(performance.now() - started < atOnceMs, 'it took too long');
      assert.match(String(said['code'] ?? said['error']), /PermissionDenied|PERMISSION_DENIED/);
    }),
  );
});

/** What this process has to know of the system in order to judge the tokens of others. */
async function ourBundles(): Promise<JwtBundleSet> {
  const client = new WorkloadClient({ endpoint: environment['SPIFFE_ENDPOINT_SOCKET'] });
  return await client.fetchJwtBundles(AbortSignal.timeout(10_000));
}

test('both clients get tokens of their ID from us, verify them with our bundles and have us validate them', async () => {
  const audience = 'interop';
  const said = await outcomeAs('/go/jwt', goSpiffe('jwt', audience));
  const id = `spiffe://${trustDomain}/go/jwt`;
  assert.deepEqual(
    [said['ids'], said['validated'], said['other'], said['foreign']],
    [[id], id, 'InvalidArgument', 'PermissionDenied'],
    JSON.stringify(said),
  );
  const bundles = await ourBundles();
  assert.equal(verifyJwtSvid(String(said['token']), bundles, { audience }).id.toString(), id);

  const python = await outcomeAs('/python/jwt', pySpiffe('jwt', audience));
  const pythonId = `spiffe://${trustDomain}/python/jwt`;
  assert.deepEqual([python['id'], python['validated']], [pythonId, pythonId], JSON.stringify(python));
  assert.ok(Number(python['keys']) >= 2);
  assert.match(String(python['other']), /another audience/);
  assert.equal(verifyJwtSvid(String(python['token']), bundles, { audience }).id.toString(), pythonId);
});

test('go-spiffe verifies a token that our client got, and refuses it for another audience', async () => {
  const client = new WorkloadClient({ endpoint: environment['SPIFFE_ENDPOINT_SOCKET'] });
  const [svid] = await client.fetchJwtSvids({ audience: ['interop'] }, AbortSignal.timeout(10_000));
  assert.ok(svid);
  assert.deepEqual(await outcome(goSpiffe('verify', svid.token, 'interop')), { id: svid.id.toString() });
  assert.match(String((await outcome(goSpiffe('verify', svid.token, 'other')))['error']), /aud/);
});

test('our verifier believes tokens that go-jose signed with each algorithm, and no other signature', async () => {
  for (const algorithm of ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
    const { token, bundle } = await outcome(goSpiffe('mint', algorithm));
    const bundles = JwtBundleSet.of(JwtBundle.parse(TrustDomain.parse('mint.test'), String(bundle)));
    const verified = verifyJwtSvid(String(token), bundles, { audience: 'interop' });
    assert.equal(verified.id.toString(), 'spiffe://mint.test/workload', algorithm);
    const other = await outcome(goSpiffe('mint', algorithm));
    const judge = (): unknown => verifyJwtSvid(String(other['token']), bundles, { audience: 'interop' });
    assert.throws(judge, { code: 'token_refused' }, algorithm);
  }
});

test('our bundle endpoint and that of go-spiffe serve each other', async () => {
  const client = new WorkloadClient({ endpoint: environment['SPIFFE_ENDPOINT_SOCKET'] });
  const context = await client.fetchX509Context(AbortSignal.timeout(10_000));
  const domain = TrustDomain.parse(trustDomain);
  {
    await using program = startAs('/go/endpoint', goSpiffe('serve-bundle'));
    const { url, id } = await program.next('its address');
    const own = context.bundles.get(domain);
    const profile = { kind: 'https_spiffe', id: SpiffeId.parse(String(id)), authorities: () => own } as const;
    const ask = (chosen: EndpointProfile) =>
      fetchBundle(
        { trustDomain: domain, url: String(url), profile: chosen },
        { signal: AbortSignal.timeout(10_000) },
      );
    const fetched = await ask(profile);
    assert.equal(fetched.sequence, 42n);
    assert.ok(own !== undefined && fetched.x509Bundle().equals(own));
    // go-spiffe leaves out which algorithm a key is for, and keeps the key.
    const ours = (await ourBundles()).get(domain)?.keys ?? [];
    const theirs = fetched.jwtBundle();
    assert.equal(theirs.keys.length, ours.length);
    for (const { keyId, publicKey } of ours) assert.ok(theirs.get(keyId)?.publicKey.equals(publicKey), keyId);
    const wrong = { ...profile, id: SpiffeId.parse(`${String(id)}/other`) };
    await assert.rejects(ask(wrong), { code: 'peer_refused' });
  }
  const { endpointSocket } = await system.context();
  await using source = await X509Source.open({
    endpoint: endpointSocket,
    signal: AbortSignal.timeout(60_000),
  });
  const served = SpiffeBundle.parse(domain, (await authorityOf(system).showBundle()).bundle);
  const credential = { kind: 'https_spiffe', source } as const;
  await using server = await BundleServer.open({
    bundle: () => served,
    credential,
    host: '127.0.0.1',
    port: 0,
  });
  const id = source.current().svid.id.toString();
  const said = await outcomeAs('/go/fetcher', goSpiffe('fetch-bundle', trustDomain, server.url, id));
  assert.deepEqual(said, { x509: 1, jwt: 2, sequence: Number(served.sequence), hintSeconds: 300 });
  const other = await outcomeAs(
    '/go/fetcher',
    goSpiffe('fetch-bundle', trustDomain, server.url, `${id}/other`),
  );
  assert.match(String(other['error']), /unexpected ID/);
});

test('a call without the security header, or with another value of it, is an invalid argument', async () => {
  const endpoint = parseEndpoint(environment['SPIFFE_ENDPOINT_SOCKET'] ?? '');
  const socketPath = 'path' in endpoint ? endpoint.path : '';
  const invalidArgument = '3';
  for (const method of ['FetchX509SVID', 'FetchX509Bundles', 'FetchJWTBundles']) {
    for (const headers of [{}, { 'workload.spiffe.io': 'True' }, { 'workload.spiffe.io': 'false' }])
      assert.equal(await callRaw(socketPath, method, headers), invalidArgument, method);
  }
  assert.equal(await callRaw(socketPath, 'FetchX509SVID', { 'workload.spiffe.io': 'true' }), 'data');
});

/** One gRPC call with an empty message; its status, or `data` when a message came first. */
async function callRaw(
  socketPath: string,
  method: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socketPath) });
  try {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/SpiffeWorkloadAPI/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.end(Buffer.alloc(5));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    session.on('error', reject);
    stream.on('error', reject);
    const look = (found: Readonly<Record<string, unknown>>): void => {
      if (typeof found['grpc-status'] === 'string') resolve(found['grpc-status']);
    };
    stream.on('response', look).on('trailers', look);
    stream.on('data', () => resolve('data'));
    return await promise;
  } finally {
    session.destroy();
  }
}

test('go-spiffe as a TLS client: the superuser is served, a workload without a policy is not, another server is refused', async () => {
  const list = `${environment['SPIKE_NEXUS_API_URL']}/v1/store/secrets?action=list`;
  const served = await outcome(goSpiffe('post', list, nexus, '{}'));
  assert.equal(served['status'], 200, JSON.stringify(served));
  assert.deepEqual(JSON.parse(String(served['body'])), { keys: [] });
  assert.deepEqual(
    [served['http'], served['group'], served['resumed']],
    ['HTTP/1.1', 'X25519MLKEM768', false],
  );

  const denied = await outcomeAs('/go/stranger', goSpiffe('post', list, nexus, '{}'));
  assert.equal(denied['status'], 401, JSON.stringify(denied));
  assert.match(String(denied['body']), /"err":"access_unauthorized"/);

  const other = await outcome(goSpiffe('post', list, `${nexus}/other`, '{}'));
  assert.match(String(other['error']), /unexpected ID "spiffe:\/\/spike\.ist\/spike\/nexus"/);
});

test('go-spiffe as a TLS server: ours is served by the right one and writes no byte to another', async () => {
  const ourPath = '/ours/client';
  const our = SpiffeId.parse(`spiffe://${trustDomain}${ourPath}`);
  await authorityOf(system).createEntry({ spiffeId: our.toString(), selectors: [`pid:${process.pid}`] });
  await using source = await X509Source.open({
    endpoint: environment['SPIFFE_ENDPOINT_SOCKET'] ?? '',
    pick: (svids) => svids.find(({ id }) => id.equals(our)),
    signal: AbortSignal.timeout(60_000),
  });
  const theirs = SpiffeId.parse(`spiffe://${trustDomain}/go/server`);
  const ask = async (program: Program, expected: string) => {
    const { address } = await program.next('its address');
    using pool = openPool({ source, authorize: authorizeId(SpiffeId.parse(expected)) });
    const url = `https://${String(address)}/`;
    return await pool.request({ method: 'POST', url, body: '{}', timeoutMs: 10_000 });
  };
  const serve = (client: SpiffeId): Program => startAs(theirs.path, goSpiffe('serve', client.toString()));
  const closed = (program: Program): Promise<Said> =>
    program.find('a closed connection', (one) => 'closed' in one);

  {
    await using program = serve(our);
    const { status, body, peer, group } = await ask(program, theirs.toString());
    assert.deepEqual([status, body.toString()], [200, `{"you":"${our.toString()}"}`]);
    assert.deepEqual([peer.id.toString(), group], [theirs.toString(), 'X25519MLKEM768']);
    assert.ok(Number((await closed(program))['bytes']) > 0);
  }
  {
    await using program = serve(our);
    await assert.rejects(ask(program, `${theirs.toString()}/other`), { code: 'peer_refused' });
    assert.deepEqual(await closed(program), { closed: true, bytes: 0 });
  }
  {
    // Their refusal of us is a failed connection, and no answer.
    await using program = serve(theirs);
    await assert.rejects(ask(program, theirs.toString()), { name: 'SpiffeError' });
    assert.deepEqual(await closed(program), { closed: true, bytes: 0 });
  }
});

test('the Go SDK of SPIKE puts, gets, lists and deletes secrets as the superuser', async () => {
  await using sdk = start([go.spike]);
  const path = 'tenants/go/db';
  const done = { result: null };
  assert.deepEqual(await sdk.ask({ do: 'put', path, values: { user: 'app', pass: 'ein Wort <&>' } }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path }), {
    result: { data: { user: 'app', pass: 'ein Wort <&>' } },
  });
  assert.deepEqual(await sdk.ask({ do: 'put', path, values: { user: 'app', pass: 'two' } }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path, version: 1 }), {
    result: { data: { user: 'app', pass: 'ein Wort <&>' } },
  });
  assert.deepEqual(await sdk.ask({ do: 'get', path, version: 9 }), { code: 'api_not_found' });
  assert.deepEqual(await sdk.ask({ do: 'list' }), { result: [path] });
  assert.equal(await system.mustSpike(['secret', 'get', path, 'pass']), 'two\n');
  assert.deepEqual(await sdk.ask({ do: 'delete', path, versions: [1] }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path, version: 1 }), { code: 'api_not_found' });
  assert.deepEqual(await sdk.ask({ do: 'delete', path }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path }), { code: 'api_not_found' });
  assert.deepEqual(await sdk.ask({ do: 'delete', path: 'tenants/go/none' }), { code: 'api_not_found' });
  assert.deepEqual(await sdk.ask({ do: 'put', path: 'a b', values: { x: 'y' } }), {
    code: 'api_bad_request',
  });
});

test('the Go SDK of SPIKE makes, reads, lists and deletes policies, and a workload that uses it feels them', async () => {
  await using sdk = start([go.spike]);
  await using workload = startAs('/go/reader', [go.spike]);
  const path = 'tenants/go/policy';
  const policy = {
    name: 'go-reads',
    spiffeId: `^spiffe://${trustDomain.replace('.', '\\.')}/go/reader$`,
    path: '^tenants/go/.*$',
    permissions: ['read', 'list'],
  };
  const done = { result: null };
  const unauthorized = { code: 'access_unauthorized' };
  assert.deepEqual(await sdk.ask({ do: 'put', path, values: { key: 'value' } }), done);
  assert.deepEqual(await workload.ask({ do: 'get', path }), unauthorized);
  assert.deepEqual(await workload.ask({ do: 'list' }), unauthorized);
  assert.deepEqual(await workload.ask({ do: 'put-policy', ...policy }), unauthorized);

  assert.deepEqual(await sdk.ask({ do: 'put-policy', ...policy }), done);
  const { result } = await sdk.ask({ do: 'get-policy', name: policy.name });
  assert.ok(typeof result === 'object' && result !== null);
  const { name, spiffiedPattern, pathPattern, permissions, createdAt } = Object.fromEntries(
    Object.entries(result),
  );
  assert.deepEqual({ name, spiffeId: spiffiedPattern, path: pathPattern, permissions }, policy);
  assert.ok(Math.abs(Date.parse(String(createdAt)) - Date.now()) < 60_000);
  const listed = { result: [{ id: '', name: policy.name }] };
  assert.deepEqual(await sdk.ask({ do: 'list-policies' }), listed);
  assert.deepEqual(await sdk.ask({ do: 'list-policies', spiffeId: policy.spiffeId }), listed);
  assert.deepEqual(await sdk.ask({ do: 'list-policies', path: 'other' }), { result: [] });

  assert.deepEqual(await workload.ask({ do: 'get', path }), { result: { data: { key: 'value' } } });
  const { result: keys } = await workload.ask({ do: 'list' });
  assert.ok(Array.isArray(keys) && keys.includes(path));
  assert.deepEqual(await workload.ask({ do: 'put', path, values: { key: 'other' } }), unauthorized);
  assert.deepEqual(await workload.ask({ do: 'get', path: 'tenants/ts/db' }), unauthorized);

  assert.deepEqual(await sdk.ask({ do: 'delete-policy', name: policy.name }), done);
  assert.deepEqual(await workload.ask({ do: 'get', path }), unauthorized);
  assert.ok('code' in (await sdk.ask({ do: 'get-policy', name: policy.name })));
});
