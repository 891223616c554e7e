import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { ServerResponse } from 'node:http';
import { SpiffeError } from '../error.ts';
import { TestDomain } from '../testing/domain.ts';
import { StaticSource } from '../testing/source.ts';
import { Stage, until } from '../testing/stage.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Svid } from '../x509/svid.ts';
import { authorizeAny, authorizeId } from './authorizer.ts';
import { buildSecureOptions } from './material.ts';
import { isUnsent, openPool } from './pool.ts';

/** A server with a good identity and bad manners. */
async function openRude(
  domain: TestDomain,
  behave: (socket: TLSSocket) => void,
): Promise<{ url: string } & AsyncDisposable> {
  const identity = { svid: domain.issue('/spike/nexus'), bundles: domain.bundles };
  const server = createTlsServer({
    ...buildSecureOptions(identity),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const open = new Set<Socket>();
  server.on('connection', (raw: Socket) => open.add(raw));
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The error of a request that has to fail. */
async function failure(request: Promise<unknown>): Promise<SpiffeError> {
  try {
    await request;
  } catch (error) {
    assert.ok(error instanceof SpiffeError, String(error));
    return error;
  }
  return assert.fail('the request succeeded');
}

void test('requests follow one another on one connection, with their bodies and headers', async () => {
  const ports = new Set<number | undefined>();
  await using stage = await Stage.open({
    handler: (request, response) => {
      ports.add(request.socket.remotePort);
      response.setHeader('X-Length', request.headers['content-length'] ?? 'none');
      request.pipe(response);
    },
  });
  for (const body of ['a', 'bc', 'x'.repeat(100_000)]) {
    const answer = await stage.get('/', { method: 'POST', body });
    assert.equal(answer.body.toString(), body);
    assert.equal(answer.headers['x-length'], String(body.length));
  }
  assert.equal((await stage.get('/', { method: 'POST' })).headers['x-length'], '0');
  assert.equal(ports.size, 1);
});

void test('a server with another ID is refused before it sees a byte of HTTP', async () => {
  const domain = new TestDomain('spike.ist');
  let bytes = 0;
  await using rude = await openRude(domain, (socket) =>
    socket.on('data', (part: Buffer) => (bytes += part.length)),
  );
  const source = new StaticSource(domain.issue('/workload'), domain.bundles);
  using pool = openPool({ source, authorize: authorizeId(domain.issue('/spike/keeper').id) });
  const error = await failure(
    pool.request({ method: 'POST', url: rude.url, body: 'share', timeoutMs: 2000 }),
  );
  assert.equal(error.code, 'peer_refused');
  assert.equal(isUnsent(error), true);
  assert.equal(pool.connections, 0);
  assert.equal(bytes, 0);
});

void test('a server of another trust domain, or one that its authority did not sign, is refused', async () => {
  await using stage = await Stage.open();
  const other = new TestDomain('other.ist');
  using stranger = openPool({
    source: new StaticSource(other.issue('/workload'), other.bundles),
    authorize: authorizeAny(),
  });
  const error = await failure(stranger.request({ method: 'GET', url: stage.server.url, timeoutMs: 2000 }));
  assert.equal(error.code, 'chain_invalid');

  const root = TestCertificate.root();
  // The pooled authorities: OpenSSL is content, since one of the two has signed.
  const { cert, key } = root.leaf('spiffe://spike.ist/spike/nexus').toPem();
  const both = X509BundleSet.of(stage.domain.bundle, ...root.bundles('another.ist'));
  stage.serverSource.set(X509Svid.parsePem(cert, key), both);
  stage.clientSource.set(stage.domain.issue('/workload'), both);
  assert.equal((await failure(stage.get())).code, 'chain_invalid');
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), both);
  assert.equal((await stage.get()).status, 200);
});

void test('another key exchange group is refused when one is required, by the pool or by one request', async () => {
  await using stage = await Stage.open({ groups: ['X25519'] }, { requireGroup: 'X25519MLKEM768' });
  assert.equal((await failure(stage.get())).code, 'peer_refused');
  using pool = openPool({ source: stage.clientSource, authorize: authorizeAny() });
  const ask = { method: 'GET', url: stage.server.url, timeoutMs: 2000 };
  const error = await failure(pool.request({ ...ask, requireGroup: 'X25519MLKEM768' }));
  assert.equal(error.code, 'peer_refused');
  assert.equal(stage.peers.length, 0);
  assert.equal((await pool.request(ask)).group, 'X25519');
  assert.equal((await pool.request({ ...ask, requireGroup: 'X25519' })).group, 'X25519');
});

void test('a server that offers only the hybrid group gets no classical client', async () => {
  await using stage = await Stage.open({ groups: ['X25519MLKEM768'] }, { groups: ['X25519'] });
  assert.equal((await failure(stage.get())).code, 'connection_failed');
  using pool = openPool({ source: stage.clientSource, authorize: authorizeAny() });
  const answer = await pool.request({ method: 'GET', url: stage.server.url, timeoutMs: 2000 });
  assert.equal(answer.group, 'X25519MLKEM768');
});

void test('a refused TCP connection is known to have sent nothing', async () => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const domain = new TestDomain('spike.ist');
  using pool = openPool({
    source: new StaticSource(domain.issue('/w'), domain.bundles),
    authorize: authorizeAny(),
  });
  const error = await failure(
    pool.request({ method: 'GET', url: `https://127.0.0.1:${port}`, timeoutMs: 2000 }),
  );
  assert.equal(error.code, 'connection_failed');
  assert.match(error.message, /ECONNREFUSED/);
  assert.equal(isUnsent(error), true);
});

void test('a server that never answers the handshake costs connectMs and no more', async () => {
  const server = createTcpServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const domain = new TestDomain('spike.ist');
  using pool = openPool({
    source: new StaticSource(domain.issue('/w'), domain.bundles),
    authorize: authorizeAny(),
    connectMs: 100,
  });
  const { port } = server.address() as AddressInfo;
  const error = await failure(
    pool.request({ method: 'GET', url: `https://127.0.0.1:${port}`, timeoutMs: 2000 }),
  );
  assert.equal(error.code, 'connection_failed');
  server.close();
});

void test('a reset before the answer on a new connection has an unknown outcome and hints at our identity', async () => {
  const domain = new TestDomain('spike.ist');
  let connections = 0;
  await using rude = await openRude(domain, (socket) => {
    connections += 1;
    socket.once('data', () => socket.destroy());
  });
  using pool = openPool({
    source: new StaticSource(domain.issue('/w'), domain.bundles),
    authorize: authorizeAny(),
  });
  const error = await failure(
    pool.request({ method: 'GET', url: rude.url, timeoutMs: 2000, idempotent: true }),
  );
  assert.equal(error.code, 'connection_lost');
  assert.equal(isUnsent(error), false);
  assert.match(error.message, /may have refused our identity/);
  assert.equal(connections, 1, 'a new connection is not tried twice');
});

/** Answers the first request of each connection, and hangs up on the second. */
function answerOnce(requests: string[]): (socket: TLSSocket) => void {
  return (socket) => {
    let answered = false;
    socket.on('data', (part: Buffer) => {
      requests.push(part.toString().split(' ')[1] ?? '');
      if (answered) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      answered = true;
    });
  };
}

void test('an idempotent request is sent once more when a reused connection turns out to be dead', async () => {
  const domain = new TestDomain('spike.ist');
  const requests: string[] = [];
  await using rude = await openRude(domain, answerOnce(requests));
  using pool = openPool({
    source: new StaticSource(domain.issue('/w'), domain.bundles),
    authorize: authorizeAny(),
  });
  const get = (path: string, idempotent: boolean): Promise<{ status: number }> =>
    pool.request({ method: 'GET', url: rude.url + path, timeoutMs: 2000, idempotent });
  assert.equal((await get('/1', true)).status, 200);
  assert.equal((await get('/2', true)).status, 200);
  assert.deepEqual(requests, ['/1', '/2', '/2']);
  const error = await failure(get('/3', false));
  assert.equal(error.code, 'connection_lost');
  assert.doesNotMatch(error.message, /identity/);
  assert.deepEqual(requests, ['/1', '/2', '/2', '/3']);
});

void test('an answer that is too large, cut off or not HTTP fails, and the connection is gone', async () => {
  const domain = new TestDomain('spike.ist');
  const answers = [
    `HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${'x'.repeat(2000)}`,
    'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
    'SSH-2.0-OpenSSH\r\n\r\n',
  ];
  await using rude = await openRude(domain, (socket) =>
    socket.once('data', () => socket.end(answers.shift() ?? '')),
  );
  using pool = openPool({
    source: new StaticSource(domain.issue('/w'), domain.bundles),
    authorize: authorizeAny(),
  });
  const get = (): Promise<unknown> =>
    pool.request({ method: 'GET', url: rude.url, timeoutMs: 2000, maxResponseBytes: 1000, idempotent: true });
  assert.equal((await failure(get())).code, 'limit_exceeded');
  assert.equal((await failure(get())).code, 'connection_lost');
  assert.equal((await failure(get())).code, 'connection_lost');
  await until(() => pool.connections === 0);
});

void test('a deadline or an abort ends a request and its connection', async () => {
  await using stage = await Stage.open({ handler: () => {} });
  // Long enough that the connection is made also where the machine is busy: until then it is another failure.
  const late = await failure(stage.get('/', { timeoutMs: 2_000 }));
  assert.equal(late.code, 'deadline_exceeded');
  const controller = new AbortController();
  const aborted = failure(stage.get('/', { signal: controller.signal }));
  await until(() => stage.server.connections === 1);
  controller.abort();
  assert.equal((await aborted).code, 'aborted');
  assert.equal((await failure(stage.get('/', { signal: controller.signal }))).code, 'aborted');
  await until(() => stage.pool.connections === 0 && stage.server.connections === 0);
});

void test('connections are bounded, and further requests wait in line or give up unsent', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open(
    { handler: (_request, response) => void waiting.push(response) },
    { maxSockets: 2 },
  );
  const answers = [stage.get(), stage.get(), stage.get(), stage.get()];
  await until(() => waiting.length === 2);
  const impatient = await failure(stage.get('/', { timeoutMs: 50 }));
  assert.equal(impatient.code, 'connection_failed');
  assert.equal(stage.pool.connections, 2);
  for (let served = 0; served < 4; served += 1) {
    await until(() => waiting.length > 0);
    waiting.shift()?.end('x');
  }
  for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
  assert.equal(stage.pool.connections, 2);
});

void test('connections that fail to open leave room for those in line', async () => {
  const domain = new TestDomain('spike.ist');
  let first = true;
  await using rude = await openRude(domain, (socket) => {
    const kill = first;
    first = false;
    socket.once('data', () =>
      kill ? socket.destroy() : socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    );
  });
  using pool = openPool({
    source: new StaticSource(domain.issue('/w'), domain.bundles),
    authorize: authorizeAny(),
    maxSockets: 1,
  });
  const ask = { method: 'GET', url: rude.url, timeoutMs: 2000 };
  const [lost, good] = await Promise.allSettled([pool.request(ask), pool.request(ask)]);
  assert.equal(lost.status, 'rejected');
  assert.equal(good.status, 'fulfilled');
});

void test('a connection is cut when a new bundle no longer verifies the server', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({ handler: (_request, response) => void waiting.push(response) });
  const pending = failure(stage.get());
  await until(() => waiting.length === 1);
  stage.clientSource.set(stage.clientSource.current().svid, new TestDomain('spike.ist').bundles);
  assert.equal((await pending).code, 'connection_lost');
  assert.equal((await failure(stage.get())).code, 'chain_invalid');
});

void test('withdrawal cuts the connections of the client, and nothing is sent any more', async () => {
  await using stage = await Stage.open();
  await stage.get();
  stage.clientSource.withdraw();
  await until(() => stage.pool.connections === 0 && stage.server.connections === 0);
  const error = await failure(stage.get());
  assert.equal(error.code, 'identity_withdrawn');
  assert.equal(isUnsent(error), true);
  stage.clientSource.set(stage.domain.issue('/workload'), stage.domain.bundles);
  assert.equal((await stage.get()).status, 200);
});

void test('a request that is under way when the identity is withdrawn fails with that, and may have been done', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({ handler: (_request, response) => void waiting.push(response) });
  const pending = failure(stage.get());
  await until(() => waiting.length === 1);
  stage.clientSource.withdraw();
  const error = await pending;
  assert.equal(error.code, 'connection_lost');
  assert.match(error.message, /our identity was withdrawn/);
  assert(error.cause instanceof SpiffeError);
  assert.equal(error.cause.code, 'identity_withdrawn');
  assert.equal(isUnsent(error), false);
});

void test('a closed pool answers nothing and holds nothing', async () => {
  await using stage = await Stage.open({ handler: () => {} });
  const pending = failure(stage.get());
  await until(() => stage.server.connections === 1);
  stage.pool[Symbol.dispose]();
  assert.equal((await pending).code, 'aborted');
  assert.equal((await failure(stage.get())).code, 'aborted');
  await until(() => stage.server.connections === 0);
});

void test('only https addresses without a user are asked', async () => {
  await using stage = await Stage.open();
  for (const url of ['http://127.0.0.1:1', 'https://u:p@127.0.0.1:1', 'nothing']) {
    assert.equal((await failure(stage.get('', { url }))).code, 'invalid_argument');
  }
});

void test('a connection lives as long as the SVID that it was opened with, not the one that came meanwhile', async () => {
  const domain = new TestDomain('spike.ist');
  await using rude = await openRude(domain, (socket) =>
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')),
  );
  const span = 3_600_000;
  const old = domain.issue('/workload', { now: new Date(Date.now() - span * 0.92), lifetimeMs: span });
  const source = new StaticSource(old, domain.bundles);
  using pool = openPool({
    source,
    authorize: authorizeAny(),
    // Asked for in the turn in which the connection is begun.
    get groups() {
      setImmediate(() => source.set(domain.issue('/workload'), domain.bundles));
      return ['X25519'];
    },
  });
  await pool.request({ method: 'GET', url: rude.url, timeoutMs: 5000 });
  await until(() => pool.connections === 0);
});

void test('times beyond what a timer of Node can wait are long, not short', async () => {
  // Node cuts them to a millisecond, and warns of it.
  const warnings: string[] = [];
  const note = ({ name }: Error) => void warnings.push(name);
  process.on('warning', note);
  await using stage = await Stage.open(
    {
      handler: (_request, response) => {
        // Said by hand, it comes without a time limit.
        response.setHeader('Connection', 'keep-alive');
        response.end();
      },
    },
    { idleMs: Infinity, connectMs: Infinity },
  );
  assert.equal((await stage.get('/', { timeoutMs: Infinity })).status, 200);
  process.off('warning', note);
  assert.deepEqual(warnings, []);
});
