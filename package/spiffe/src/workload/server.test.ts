import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, lstat, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame, FrameReader } from '../grpc/frame.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestAgent } from '../testing/agent.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Svid } from '../x509/svid.ts';
import { x509BundlesResponseSchema, x509SvidResponseSchema, type X509SvidResponse } from './message.ts';
import { WorkloadServer, type WorkloadHandler } from './server.ts';

const good = { 'workload.spiffe.io': 'true' };
const svidPath = '/SpiffeWorkloadAPI/FetchX509SVID';
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

async function within<T>(promise: Promise<T>): Promise<T> {
  const late = once(soon(), 'abort').then(() => assert.fail('it took too long'));
  return Promise.race([promise, late]);
}

/** A client that is made of nothing but node:http2, so that it can do what a good one does not. */
class RawClient implements AsyncDisposable {
  readonly session: ClientHttp2Session;

  constructor(path: string) {
    this.session = connectHttp2('http://localhost', { createConnection: () => connect({ path }) });
    this.session.on('error', () => undefined);
  }

  call(
    path: string,
    headers: Record<string, string> = good,
    body: Uint8Array = encodeFrame(new Uint8Array(0)),
  ): RawCall {
    return new RawCall(this.session, { ':path': path, ...headers }, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.closed && this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

class RawCall {
  readonly status: Promise<string>;
  readonly httpStatus: Promise<unknown>;
  readonly messages: AsyncGenerator<Uint8Array, void, undefined>;
  readonly cancel: () => void;

  constructor(session: ClientHttp2Session, headers: Record<string, string>, body: Uint8Array) {
    const stream = session.request({
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    // Whatever a test waits for of this call ends with the stream.
    const late = setTimeout(() => stream.destroy(), 8000);
    stream.on('close', () => clearTimeout(late));
    stream.end(body);
    let block: IncomingHttpHeaders = {};
    const httpStatus = Promise.withResolvers<unknown>();
    const status = Promise.withResolvers<string>();
    stream.on('response', (head) => {
      httpStatus.resolve(head[':status']);
      block = head;
    });
    stream.on('trailers', (trailer) => (block = trailer));
    stream.on('close', () => status.resolve(String(block['grpc-status'])));
    this.httpStatus = httpStatus.promise;
    this.status = status.promise;
    this.cancel = () => stream.close(constants.NGHTTP2_CANCEL);
    this.messages = (async function* () {
      const reader = new FrameReader(1 << 20);
      const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) yield* reader.push(chunk);
    })();
    stream.pause();
  }

  async statusNow(): Promise<string> {
    try {
      for await (const _ of this.messages);
    } catch {
      // The status says what came of the call; a stream that was reset has none.
    }
    return this.status;
  }

  async next(): Promise<X509SvidResponse> {
    const step = await this.messages.next();
    assert.ok(step.done !== true, 'the stream ended');
    return x509SvidResponseSchema.decode(step.value);
  }
}

test('W-1 the API is plain HTTP/2 and asks for no certificate', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using client = new RawClient(agent.path);
  assert.equal((await client.call(svidPath).next()).svids.length, 1);
});

test('W-2 a call whose security header is missing or not exactly "true" is an invalid argument', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using client = new RawClient(agent.path);
  const wrong = [
    {},
    ...['', 'True', 'TRUE', 'true ,true', 'false', '1', 'truetrue'].map((value) => ({
      'workload.spiffe.io': value,
    })),
  ];
  for (const headers of wrong)
    assert.equal(await client.call(svidPath, headers).statusNow(), '3', JSON.stringify(headers));
  for (const name of ['FetchX509Bundles', 'FetchJWTSVID', 'FetchWITSVID']) {
    assert.equal(await client.call(`/SpiffeWorkloadAPI/${name}`, {}).statusNow(), '3', name);
  }
  assert.equal(agent.calls, 0);
});

test('W-3 a workload without an identity is denied, at the start and in the middle of a stream', async () => {
  await using agent = await TestAgent.open();
  await using client = new RawClient(agent.path);
  assert.equal(await client.call(svidPath).statusNow(), '7');
  agent.say(agent.issue(['/a']));
  const call = client.call(svidPath);
  await call.next();
  agent.say(new SpiffeError('permission_denied', 'the entry was deleted'));
  assert.equal(await call.statusNow(), '7');
});

test('W-3 an answer without SVIDs is a denial', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue([]));
  await using client = new RawClient(agent.path);
  assert.equal(await client.call(svidPath).statusNow(), '7');
});

test('W-4 a server that is not ready says that it is unavailable', async () => {
  await using agent = await TestAgent.open();
  agent.say(new SpiffeError('unavailable', 'still starting'));
  await using client = new RawClient(agent.path);
  assert.equal(await client.call(svidPath).statusNow(), '14');
});

test('W-5 the first message comes at once, each later one when there is something new, and each is whole', async () => {
  await using agent = await TestAgent.open();
  const foreign = CertificateAuthority.create({ trustDomain: TrustDomain.parse('other.org') }).bundle();
  agent.say(agent.issue(['/a'], { federated: X509BundleSet.of(foreign) }));
  await using client = new RawClient(agent.path);
  const call = client.call(svidPath);
  const first = await call.next();
  assert.deepEqual([...first.federatedBundles.keys()], ['spiffe://other.org']);
  assert.deepEqual(
    Buffer.from(first.federatedBundles.get('spiffe://other.org') ?? []),
    Buffer.from(foreign.toDer()),
  );
  agent.say(agent.issue(['/b', '/a'], { federated: X509BundleSet.of(foreign) }));
  const second = await call.next();
  assert.deepEqual(
    second.svids.map((svid) => svid.spiffeId),
    ['spiffe://example.org/b', 'spiffe://example.org/a'],
  );
  assert.equal(second.federatedBundles.size, 1);
});

test('W-5 an SVID message has certificate, key, bundle and ID that belong together', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a'], { hint: 'main' }));
  await using client = new RawClient(agent.path);
  const [message] = (await client.call(svidPath).next()).svids;
  assert.ok(message);
  const svid = X509Svid.parse(message.x509Svid, message.x509SvidKey);
  assert.equal(svid.id.toString(), message.spiffeId);
  assert.equal(message.hint, 'main');
  assert.deepEqual(Buffer.from(message.bundle), Buffer.from(agent.authority.bundle().toDer()));
});

test('W-5 a reader that is slow gets the newest state and not all that it missed', async () => {
  const yielded = Promise.withResolvers<void>();
  await using place = await Place.make();
  await using _server = await place.listen({
    async *watchX509(_peer, signal) {
      // Each is larger than what HTTP/2 sends unasked, so all but the first have to wait for the reader.
      const wide = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
      const svid = place.agentAnswer(wide, '/a').svids[0];
      assert.ok(svid);
      const federated = Array.from({ length: 200 }, (_, i) =>
        CertificateAuthority.create({ trustDomain: TrustDomain.parse(`td${i}.org`) }).bundle(),
      );
      for (let i = 0; i < 30; i++) {
        const hinted = X509Svid.of(svid.chain, svid.privateKey, `hint-${i}`);
        yield { svids: [hinted], bundles: X509BundleSet.of(wide.bundle(), ...federated) };
      }
      yielded.resolve();
      await once(signal, 'abort');
    },
    async *watchX509Bundles() {},
  });
  await using client = new RawClient(place.path);
  const call = client.call(svidPath);
  await within(yielded.promise);
  const hints: (string | undefined)[] = [];
  do hints.push((await call.next()).svids[0]?.hint);
  while (hints.at(-1) !== 'hint-29');
  assert.ok(hints.length < 5, hints.join());
});

test('W-8 the bundles include those of the trust domains of the SVIDs', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using client = new RawClient(agent.path);
  const step = await client.call('/SpiffeWorkloadAPI/FetchX509Bundles').messages.next();
  assert.ok(step.done !== true);
  const { bundles } = x509BundlesResponseSchema.decode(step.value);
  assert.deepEqual([...bundles.keys()], ['spiffe://example.org']);
  assert.deepEqual(
    Buffer.from(bundles.get('spiffe://example.org') ?? []),
    Buffer.from(agent.authority.bundle().toDer()),
  );
});

test('W-8 an answer that lacks the bundle of its own SVID is not sent', async () => {
  const reported: unknown[] = [];
  await using agent = await TestAgent.open('example.org', { report: (error) => reported.push(error) });
  agent.say({ ...agent.issue(['/a']), bundles: X509BundleSet.of() });
  await using client = new RawClient(agent.path);
  assert.equal(await client.call(svidPath).statusNow(), '13');
  assert.ok(reported[0] instanceof SpiffeError && reported[0].code === 'bundle_unknown');
});

test('W-9 no two SVIDs of an answer have the same hint', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a', '/b', '/c'], { hint: 'same' }));
  await using client = new RawClient(agent.path);
  const { svids } = await client.call(svidPath).next();
  assert.deepEqual(
    svids.map((svid) => svid.hint),
    ['same', '', ''],
  );
});

test('W-10 the WIT calls, and the JWT calls for now, are unimplemented', async () => {
  await using agent = await TestAgent.open();
  await using client = new RawClient(agent.path);
  for (const name of [
    'FetchWITSVID',
    'FetchWITBundles',
    'FetchJWTSVID',
    'FetchJWTBundles',
    'ValidateJWTSVID',
  ]) {
    const request = Buffer.from('0a0161120162', 'hex');
    assert.equal(
      await client.call(`/SpiffeWorkloadAPI/${name}`, good, encodeFrame(request)).statusNow(),
      '12',
      name,
    );
  }
});

test('W-11 there are no other methods and no other services on the socket', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using client = new RawClient(agent.path);
  for (const path of [
    '/SpiffeWorkloadAPI/Fetch',
    '/SpiffeWorkloadAPI',
    '/',
    '/Admin/Create',
    `${svidPath}/`,
    `${svidPath}?x`,
  ]) {
    assert.equal(await client.call(path).statusNow(), '12', path);
  }
});

test('W-12 the server listens on a unix socket with the mode that was asked for, and takes it away at the end', async () => {
  await using place = await Place.make();
  {
    await using _server = await place.listen(silent, { mode: 0o600 });
    const entry = await stat(place.path);
    assert.ok(entry.isSocket());
    assert.equal(entry.mode & 0o777, 0o600);
  }
  await assert.rejects(lstat(place.path), { code: 'ENOENT' });
});

test('a socket that a killed server left is replaced, one on which somebody listens is not', async () => {
  await using place = await Place.make();
  {
    await using _server = await place.listen(silent);
    await assert.rejects(place.listen(silent), hasCode('unavailable'));
  }
  // Bound and closed without unlink, as the kernel leaves it when a process is killed.
  const { promise, resolve } = Promise.withResolvers<void>();
  const other = createServer().listen({ path: `${place.path}.live` }, () => resolve());
  await promise;
  const { link } = await import('node:fs/promises');
  await link(`${place.path}.live`, place.path);
  other.close();
  await once(other, 'close');
  assert.ok((await lstat(place.path)).isSocket());
  await using _server = await place.listen(silent);
  await using client = new RawClient(place.path);
  assert.equal(await client.call('/x').statusNow(), '12');
});

test('a file that is no socket is never removed', async () => {
  await using place = await Place.make();
  await writeFile(place.path, 'precious');
  await assert.rejects(place.listen(silent), hasCode('endpoint_invalid'));
  assert.equal((await stat(place.path)).size, 8);
  await rm(place.path);
});

test('a directory that is missing is said to be so', async () => {
  await using place = await Place.make();
  const options = { path: join(place.path, 'none', 's'), handler: silent, signal: soon() };
  await assert.rejects(WorkloadServer.listen(options), hasCode('endpoint_invalid'));
});

test('the handler gets the raw socket, the same for all calls of a connection, and first of all', async () => {
  const seen: [string, Socket][] = [];
  await using place = await Place.make();
  await using _server = await place.listen({
    accept: (peer) => seen.push(['accept', peer]),
    async *watchX509(peer) {
      seen.push(['watch', peer]);
      yield* [];
      throw new SpiffeError('permission_denied', '');
    },
    async *watchX509Bundles() {},
  });
  await using client = new RawClient(place.path);
  await client.call(svidPath).statusNow();
  await client.call(svidPath).statusNow();
  assert.deepEqual(
    seen.map(([when]) => when),
    ['accept', 'watch', 'watch'],
  );
  assert.equal(new Set(seen.map(([, peer]) => peer)).size, 1);
  assert.ok(seen[0]?.[1] && '_handle' in seen[0][1]);
});

test('the signal of a watch fires when the client cancels, and when its connection is cut', async () => {
  await using place = await Place.make();
  let watching = Promise.withResolvers<AbortSignal>();
  await using _server = await place.listen({
    async *watchX509(_peer, signal) {
      watching.resolve(signal);
      await once(signal, 'abort');
      yield* [];
    },
    async *watchX509Bundles() {},
  });
  {
    await using client = new RawClient(place.path);
    const call = client.call(svidPath);
    const signal = await within(watching.promise);
    const fired = signal.aborted ? undefined : once(signal, 'abort');
    call.cancel();
    await fired;
    watching = Promise.withResolvers<AbortSignal>();
    client.call(svidPath);
    await within(watching.promise);
  }
  const signal = await within(watching.promise);
  if (!signal.aborted) await once(signal, 'abort');
});

test('grpc-timeout ends a stream with its own status', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using client = new RawClient(agent.path);
  assert.equal(await client.call(svidPath, { ...good, 'grpc-timeout': '20m' }).statusNow(), '4');
  assert.equal(await client.call(svidPath, { ...good, 'grpc-timeout': 'soon' }).statusNow(), '3');
});

test('requests that are no proper gRPC are refused, and the connection goes on', async () => {
  await using agent = await TestAgent.open('example.org', { limit: { requestMs: 50 } });
  agent.say(agent.issue(['/a']));
  await using client = new RawClient(agent.path);
  const frame = encodeFrame(new Uint8Array(0));
  const cases: readonly [string, Record<string, string>, Uint8Array, string][] = [
    ['no message', {}, new Uint8Array(0), '3'],
    ['two messages', {}, Buffer.concat([frame, frame]), '3'],
    ['a message that is cut off', {}, Uint8Array.of(0, 0, 0, 0, 9, 1), '3'],
    ['a compressed message', {}, Uint8Array.of(1, 0, 0, 0, 0), '3'],
    ['a message that is too large', {}, Uint8Array.of(0, 0, 1, 0, 1), '8'],
    ['bytes that are not protobuf', {}, encodeFrame(Uint8Array.of(0x0b)), '3'],
    ['an encoding', { 'grpc-encoding': 'gzip' }, frame, '12'],
  ];
  for (const [name, headers, body, status] of cases) {
    assert.equal(await client.call(svidPath, { ...good, ...headers }, body).statusNow(), status, name);
  }
  assert.equal(await client.call(svidPath, { ...good, 'content-type': 'application/json' }).httpStatus, 415);
  assert.equal(await client.call(svidPath, { ...good, ':method': 'GET' }, new Uint8Array(0)).httpStatus, 405);
  assert.equal((await client.call(svidPath).next()).svids.length, 1);
});

test('a request that never ends is answered when its time is over', async () => {
  await using agent = await TestAgent.open('example.org', { limit: { requestMs: 30 } });
  await using client = new RawClient(agent.path);
  const stream = client.session.request({
    ':method': 'POST',
    ':path': svidPath,
    'content-type': 'application/grpc',
    ...good,
  });
  stream.on('error', () => undefined);
  const [head] = await once(stream, 'response', { signal: soon() });
  assert.equal(head['grpc-status'], '4');
});

test('connections, streams and headers beyond the limits are refused, and those within go on', async () => {
  await using agent = await TestAgent.open('example.org', { connections: 2, limit: { streams: 2 } });
  agent.say(agent.issue(['/a']));
  await using first = new RawClient(agent.path);
  const calls = [first.call(svidPath), first.call(svidPath)];
  for (const call of calls) await call.next();
  await using second = new RawClient(agent.path);
  await second.call(svidPath).next();

  const third = connect({ path: agent.path });
  third.on('error', () => undefined);
  await once(third, 'close', { signal: soon() });

  assert.equal(
    await second.call(svidPath, { ...good, padding: 'x'.repeat(20_000) }).statusNow(),
    'undefined',
  );
  agent.say(agent.issue(['/b']));
  for (const call of calls) assert.equal((await call.next()).svids[0]?.spiffeId, 'spiffe://example.org/b');
});

test('a connection without calls is closed after a while, one with a stream is not', async () => {
  await using agent = await TestAgent.open('example.org', { limit: { idleMs: 40 } });
  agent.say(agent.issue(['/a']));
  await using busy = new RawClient(agent.path);
  const call = busy.call(svidPath);
  await call.next();
  await using idle = new RawClient(agent.path);
  await idle.call('/x').statusNow();
  await once(idle.session, 'close', { signal: soon() });
  agent.say(agent.issue(['/b']));
  assert.equal((await call.next()).svids.length, 1);
  assert.equal((await busy.call(svidPath).next()).svids.length, 1);
});

test('a client that does not read is cut off, and others are served meanwhile', async () => {
  await using place = await Place.make();
  const federated = Array.from({ length: 200 }, (_, i) =>
    CertificateAuthority.create({ trustDomain: TrustDomain.parse(`td${i}.org`) }).bundle(),
  );
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  const answer = place.agentAnswer(authority, '/a');
  await using _server = await place.listen(
    {
      async *watchX509(_peer, signal) {
        for (let i = 0; i < 3; i++)
          yield { ...answer, bundles: X509BundleSet.of(authority.bundle(), ...federated) };
        await once(signal, 'abort');
      },
      async *watchX509Bundles() {
        yield answer.bundles;
      },
    },
    { limit: { stallMs: 60 } },
  );
  await using slow = new RawClient(place.path);
  slow.call(svidPath);
  await using quick = new RawClient(place.path);
  assert.equal((await quick.call('/SpiffeWorkloadAPI/FetchX509Bundles').messages.next()).done, false);
  if (!slow.session.destroyed) await once(slow.session, 'close', { signal: soon() });
});

test('bytes that are not HTTP/2 cost their sender the connection and nobody else anything', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  for (const noise of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'x'.repeat(5000), '\0'.repeat(100)]) {
    const socket = connect({ path: agent.path });
    socket.on('error', () => undefined);
    socket.write(noise);
    socket.resume();
    await once(socket, 'close', { signal: soon() });
  }
  await using client = new RawClient(agent.path);
  assert.equal((await client.call(svidPath).next()).svids.length, 1);
});

test('a server that ends tells its streams that it is unavailable', async () => {
  const end = new AbortController();
  await using place = await Place.make();
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  const server = await WorkloadServer.listen({
    path: place.path,
    signal: end.signal,
    handler: {
      async *watchX509() {
        yield place.agentAnswer(authority, '/a');
        await new Promise(() => undefined);
      },
      async *watchX509Bundles() {},
    },
  });
  await using client = new RawClient(place.path);
  const call = client.call(svidPath);
  await call.next();
  end.abort();
  assert.equal(await call.statusNow(), '14');
  await server[Symbol.asyncDispose]();
  assert.equal(server.connections, 0);
});

const silent: WorkloadHandler = { async *watchX509() {}, async *watchX509Bundles() {} };
const hasCode = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;

/** A directory for a socket. */
class Place implements AsyncDisposable {
  readonly directory: string;
  readonly path: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.path = join(directory, 's');
  }

  static async make(): Promise<Place> {
    const directory = await mkdtemp(join(tmpdir(), 'spiffe-server-'));
    await chmod(directory, 0o700);
    return new Place(directory);
  }

  listen(
    handler: WorkloadHandler,
    options: Partial<Parameters<typeof WorkloadServer.listen>[0]> = {},
  ): Promise<WorkloadServer> {
    return WorkloadServer.listen({
      ...options,
      path: this.path,
      handler,
      signal: new AbortController().signal,
    });
  }

  agentAnswer(
    authority: CertificateAuthority,
    path: string,
  ): { svids: readonly X509Svid[]; bundles: X509BundleSet } {
    const id = SpiffeId.from(authority.trustDomain, path);
    return { svids: [authority.issueX509Svid({ id })], bundles: X509BundleSet.of(authority.bundle()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
