import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { createServer as createTlsServer, connect as connectTls } from 'node:tls';
import type { ServerResponse } from 'node:http';
import { TestDomain } from '../testing/domain.ts';
import { knock, lingerOn } from '../testing/peer.ts';
import { StaticSource } from '../testing/source.ts';
import { Stage, limits, until } from '../testing/stage.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { authorizeAny, authorizeId } from './authorizer.ts';
import { buildSecureOptions } from './material.ts';
import { verifyPeer } from './peer.ts';
import { openPool } from './pool.ts';
import { openServer } from './server.ts';
import type { ServerOptions } from './server-option.ts';

void test('a verified peer is served, and both sides know who the other is', async () => {
  await using stage = await Stage.open();
  const answer = await stage.get();
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), 'hello');
  assert.equal(answer.peer.id.toString(), 'spiffe://spike.ist/spike/nexus');
  assert.equal(answer.group, 'X25519MLKEM768');
  assert.deepEqual(
    stage.peers.map((peer) => peer.id.toString()),
    ['spiffe://spike.ist/workload'],
  );
  assert.equal(stage.server.connections, 1);
  assert.deepEqual(stage.refusals, []);
});

void test('the authorizer decides after the verifier, and a refused peer never reaches the handler', async () => {
  const domain = new TestDomain('other.ist');
  await using stage = await Stage.open({
    authorize: authorizeId(domain.issue('/somebody').id),
  });
  await assert.rejects(stage.get(), { code: 'connection_lost', message: /may have refused our identity/ });
  assert.equal(stage.peers.length, 0);
  assert.deepEqual(
    stage.refusals.map(({ code }) => code),
    ['peer_refused'],
  );
});

void test('a client without a certificate is refused before HTTP', async () => {
  await using stage = await Stage.open();
  const { status } = await knock(stage.server.address, {});
  assert.equal(status, '');
  assert.equal(stage.peers.length, 0);
  assert.deepEqual(
    stage.refusals.map(({ code, message }) => `${code}: ${message}`),
    ['peer_missing: the peer showed no certificate'],
  );
});

void test('what breaks while a peer is judged is reported as such, and not as a fault of the peer', async () => {
  await using stage = await Stage.open({
    authorize: () => {
      throw new RangeError('a text that may be anything');
    },
  });
  const { svid, bundles } = stage.serverSource.current();
  const many = Array.from({ length: 30 }, (_, i) =>
    TestCertificate.root({ subject: `${i} ${'x'.repeat(1500)}` }),
  );
  const [grown] = TestCertificate.root().bundles('spike.ist', ...many);
  assert.ok(grown);
  const all = X509Bundle.of(grown.trustDomain, [...stage.domain.bundle.authorities, ...grown.authorities]);
  // With OpenSSL's filter and without, where it has something against every certificate.
  for (const set of [bundles, X509BundleSet.of(all)]) {
    stage.serverSource.set(svid, set);
    assert.equal((await knock(stage.server.address, stage.domain.issue('/workload').toPem())).status, '');
  }
  const refusal = 'internal: the peer was not let in: RangeError';
  assert.deepEqual(
    stage.refusals.map(({ code, message }) => `${code}: ${message}`),
    [refusal, refusal],
  );
});

void test('TLS 1.2 is refused, also after the certificates were rotated in place', async () => {
  await using stage = await Stage.open();
  const credential = stage.domain.issue('/workload').toPem();
  const old = { ...credential, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
  assert.equal((await knock(stage.server.address, old)).status, '');
  assert.equal((await knock(stage.server.address, credential)).status, 'HTTP/1.1 200 OK');
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), stage.domain.bundles);
  assert.equal((await knock(stage.server.address, old)).status, '');
  assert.equal((await knock(stage.server.address, credential)).status, 'HTTP/1.1 200 OK');
  // By OpenSSL itself, and not by what stands behind it.
  const reason = 'the handshake failed: ERR_SSL_UNSUPPORTED_PROTOCOL';
  assert.deepEqual(
    stage.refusals.map(({ message }) => message),
    [reason, reason],
  );
});

void test('HTTP/2 is not offered', async () => {
  await using stage = await Stage.open();
  const credential = stage.domain.issue('/workload').toPem();
  assert.equal((await knock(stage.server.address, { ...credential, ALPNProtocols: ['h2'] })).status, '');
  const both = await knock(stage.server.address, { ...credential, ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(both.status, 'HTTP/1.1 200 OK');
});

void test('a session that a client tries to resume becomes a full handshake', async () => {
  await using stage = await Stage.open();
  const credential = stage.domain.issue('/workload').toPem();
  const sessions: Buffer[] = [];
  const socket = connectTls({ ...stage.server.address, ...credential, rejectUnauthorized: false });
  socket.on('session', (session) => sessions.push(session));
  socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  const session = sessions[0] ?? socket.getSession();
  const again = await knock(stage.server.address, {
    ...credential,
    ...(session === undefined ? {} : { session }),
  });
  assert.equal(again.status, 'HTTP/1.1 200 OK');
  assert.equal(again.resumed, false);
  // And without the certificate, which is what a resumption would let it leave out.
  const without = await knock(stage.server.address, session === undefined ? {} : { session });
  assert.equal(without.status, '');
});

void test('a resumed session is refused even where the server was made to grant one', async () => {
  const domain = new TestDomain('spike.ist');
  const { secureOptions: _, ...secure } = buildSecureOptions({
    svid: domain.issue('/server'),
    bundles: domain.bundles,
  });
  const judged: string[] = [];
  const server = createTlsServer({ ...secure, requestCert: true, rejectUnauthorized: true }, (socket) => {
    try {
      judged.push(verifyPeer(socket, domain.bundles, authorizeAny(), { as: 'client' }).id.path);
    } catch (error) {
      judged.push((error as { code: string }).code);
    }
    socket.end('x\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const credential = domain.issue('/workload').toPem();
  const first = connectTls({
    port: address.port,
    host: '127.0.0.1',
    ...credential,
    rejectUnauthorized: false,
  });
  first.resume();
  const [session] = (await once(first, 'session')) as [Buffer];
  await once(first, 'close');
  const second = await knock({ host: '127.0.0.1', port: address.port }, { ...credential, session });
  server.close();
  assert.equal(second.resumed, true, 'the trap is real');
  assert.deepEqual(judged, ['/workload', 'protocol_invalid']);
});

void test('a bundle set without any authority lets nobody in, from the start and later', async () => {
  const empty = X509BundleSet.of(X509Bundle.parse(new TestDomain('spike.ist').trustDomain, new Uint8Array()));
  await using stage = await Stage.open();
  assert.equal((await stage.get()).status, 200);
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), empty);
  await until(() => stage.server.connections === 0);
  await assert.rejects(stage.get());
  assert.equal(stage.peers.length, 1);

  const source = new StaticSource(stage.domain.issue('/spike/nexus'), empty);
  await using server = await openServer(
    { source, authorize: authorizeAny(), handler: () => assert.fail(), limits, host: '127.0.0.1', port: 0 },
    AbortSignal.timeout(5000),
  );
  await assert.rejects(stage.pool.request({ method: 'GET', url: server.url, timeoutMs: 5000 }));
});

void test('a connection is reset when its root leaves the bundle, and others stay', async () => {
  await using stage = await Stage.open();
  const other = new TestDomain('other.ist');
  const both = X509BundleSet.of(stage.domain.bundle, other.bundle);
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), both);
  await stage.get();
  using pool = openPool({
    source: new StaticSource(other.issue('/workload'), both),
    authorize: authorizeAny(),
  });
  const visit = (): Promise<{ status: number }> =>
    pool.request({ method: 'GET', url: stage.server.url, timeoutMs: 5000 });
  assert.equal((await visit()).status, 200);
  assert.equal(stage.server.connections, 2);
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), stage.domain.bundles);
  await until(() => stage.server.connections === 1 && pool.connections === 0);
  assert.equal(stage.pool.connections, 1);
  await assert.rejects(visit());
  assert.equal((await stage.get()).status, 200);
});

void test('when the identity is withdrawn, live connections are reset, new ones refused, and all is well after', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({
    handler: (request, response) => {
      if (request.url === '/wait') waiting.push(response);
      else response.end('hello');
    },
  });
  const pending = stage.get('/wait');
  await until(() => waiting.length === 1);
  stage.serverSource.withdraw();
  await assert.rejects(pending, { code: 'connection_lost' });
  await until(() => stage.server.connections === 0);
  await assert.rejects(stage.get());
  assert.deepEqual(
    stage.refusals.map(({ code }) => code),
    ['identity_withdrawn'],
  );
  stage.serverSource.set(stage.domain.issue('/spike/nexus'), stage.domain.bundles);
  assert.equal((await stage.get()).status, 200);
});

void test('connections of one peer are cut, answers under way with them, and those of another are not', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({
    handler: (request, response) => {
      if (request.url === '/wait') waiting.push(response);
      else response.end('hello');
    },
  });
  const { id } = stage.clientSource.current().svid;
  assert.equal(
    stage.server.resetPeers((peer) => peer.id.equals(id)),
    0,
  );
  const pending = stage.get('/wait');
  await until(() => waiting.length === 1);
  assert.equal(
    stage.server.resetPeers((peer) => !peer.id.equals(id)),
    0,
  );
  assert.equal(stage.server.connections, 1);
  assert.equal(
    stage.server.resetPeers((peer) => peer.id.equals(id)),
    1,
  );
  await assert.rejects(pending, { code: 'connection_lost' });
  await until(() => stage.server.connections === 0);
  assert.equal((await stage.get()).status, 200);
});

void test('while the agent is unreachable, the last identity serves on', async () => {
  await using stage = await Stage.open();
  await stage.get();
  stage.serverSource.unreachable();
  assert.equal((await stage.get()).status, 200);
  assert.equal(stage.server.connections, 1);
});

void test('a half-open handshake is cut at its deadline, even when bytes keep dripping', async () => {
  await using stage = await Stage.open({ limits: { ...limits, handshakeMs: 200 } });
  // The header of a TLS record of 512 bytes, and the beginning of a ClientHello.
  const drip = Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(400)]);
  const [silent, dripping] = await Promise.all([
    lingerOn(stage.server.address, new Uint8Array(), 1000),
    lingerOn(stage.server.address, drip, 20),
  ]);
  assert.ok(silent < 1500 && dripping < 1500, `${silent} ms, ${dripping} ms`);
  assert.deepEqual(
    stage.refusals.map(({ code }) => code),
    ['deadline_exceeded', 'deadline_exceeded'],
  );
  assert.equal(stage.server.unverified, 0);
  assert.equal((await stage.get()).status, 200);
});

void test('unverified connections are bounded, and the oldest gives way', async () => {
  await using stage = await Stage.open({ limits: { ...limits, maxUnverified: 2 } });
  const sockets = [0, 1, 2].map(() => connectTcp(stage.server.address));
  for (const socket of sockets) socket.on('error', () => {});
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await until(() => stage.refusals.length === 1);
  assert.equal(stage.refusals[0]?.code, 'limit_exceeded');
  assert.equal(stage.server.unverified, 2);
  assert.equal((await stage.get()).status, 200);
  for (const socket of sockets) socket.destroy();
});

void test('a peer that pipelines and never reads is cut, and one that pipelines a little is answered', async () => {
  let asked = 0;
  await using stage = await Stage.open({
    handler: (_request, response) => {
      asked += 1;
      response.end('x'.repeat(100_000));
    },
  });
  const credential = stage.domain.issue('/workload').toPem();
  const request = 'GET / HTTP/1.1\r\nHost: t\r\n\r\n';
  const some = connectTls({ ...stage.server.address, ...credential, rejectUnauthorized: false });
  some.write(request.repeat(8));
  let bytes = 0;
  some.on('data', (part: Buffer) => (bytes += part.length));
  await until(() => bytes > 800_000);
  some.destroy();
  asked = 0;
  const greedy = connectTls({ ...stage.server.address, ...credential, rejectUnauthorized: false });
  greedy.on('error', () => {});
  greedy.write(request.repeat(1000));
  await until(() => asked > 0 && stage.server.connections === 0);
  assert.equal(asked, 16);
  assert.equal((await stage.get()).status, 200);
});

void test('headers have a deadline and a size', async () => {
  await using stage = await Stage.open({ limits: { ...limits, headerMs: 250, maxHeaderBytes: 1024 } });
  const credential = stage.domain.issue('/workload').toPem();
  const socket = connectTls({ ...stage.server.address, ...credential, rejectUnauthorized: false });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: t');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 408/);
  const headers = { padding: 'x'.repeat(2000) };
  const large = await stage.pool.request({ method: 'GET', url: stage.server.url, headers, timeoutMs: 5000 });
  assert.equal(large.status, 431);
  assert.equal((await stage.get()).status, 200);
});

void test('a graceful close delivers the answer that is under way and takes no new connection', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({ handler: (_request, response) => void waiting.push(response) });
  const { url } = stage.server;
  const pending = stage.get();
  await until(() => waiting.length === 1);
  const closed = stage.server.closeGracefully(5000);
  await assert.rejects(stage.pool.request({ method: 'GET', url, timeoutMs: 1000 }), {
    code: 'connection_failed',
  });
  waiting[0]?.end('late');
  const answer = await pending;
  assert.equal(answer.body.toString(), 'late');
  assert.equal(answer.headers.connection, 'close');
  await closed;
  assert.equal(stage.server.connections, 0);
});

void test('a graceful close cuts at its deadline what does not end', async () => {
  await using stage = await Stage.open({ handler: () => {} });
  const lost = assert.rejects(stage.get(), { code: 'connection_lost' });
  await until(() => stage.server.connections === 1);
  await stage.server.closeGracefully(50);
  await lost;
});

void test('opening fails when there is no identity, when the port is taken, and when it is no longer wanted', async () => {
  await using stage = await Stage.open();
  const options: ServerOptions = {
    source: stage.serverSource,
    authorize: authorizeAny(),
    handler: () => {},
    limits,
    host: '127.0.0.1',
    port: stage.server.address.port,
  };
  await assert.rejects(openServer(options, AbortSignal.timeout(5000)), { code: 'connection_failed' });
  await assert.rejects(openServer({ ...options, port: 0 }, AbortSignal.abort()), { code: 'aborted' });
  stage.serverSource.withdraw();
  await assert.rejects(openServer({ ...options, port: 0 }, AbortSignal.timeout(5000)), {
    code: 'identity_withdrawn',
  });
});

void test('peers that close their half are let go without a trace, at whatever stage', async () => {
  await using stage = await Stage.open({ handler: () => {}, limits: { ...limits, handshakeMs: 200 } });
  const silent = connectTcp({ ...stage.server.address, allowHalfOpen: true });
  silent.on('error', () => {});
  silent.end();
  const credential = stage.domain.issue('/workload').toPem();
  const asking = connectTls({ ...stage.server.address, ...credential, rejectUnauthorized: false });
  asking.on('error', () => {});
  asking.end('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
  await Promise.all([silent, asking].map((socket) => once(socket.resume(), 'close')));
  await until(() => stage.server.connections === 0 && stage.server.unverified === 0);
  // Were a descriptor left, the server would wait for it.
  await stage.server.closeGracefully(1000);
});

void test('a connection that was ended in good order can still be cut', async () => {
  await using stage = await Stage.open();
  const answer = await stage.get('/', { headers: { Connection: 'close' } });
  assert.equal(answer.status, 200);
  stage.server.resetAll();
  stage.pool.resetAll();
  await until(() => stage.server.connections === 0 && stage.pool.connections === 0);
  await stage.server.closeGracefully(1000);
});

void test('an answer that has expired on its way ends all connections, and the next one serves again', async () => {
  await using stage = await Stage.open();
  const { clientSource, serverSource } = stage;
  const past = { now: new Date(Date.now() - 60_000), lifetimeMs: 1000 };
  for (const [source, path] of [
    [serverSource, '/spike/nexus'],
    [clientSource, '/workload'],
  ] as const) {
    await stage.get();
    source.set(stage.domain.issue(path, past), stage.domain.bundles);
    await until(() => stage.server.connections === 0 && stage.pool.connections === 0);
    await assert.rejects(stage.get());
    source.set(stage.domain.issue(path), stage.domain.bundles);
    assert.equal((await stage.get()).status, 200);
  }
});
