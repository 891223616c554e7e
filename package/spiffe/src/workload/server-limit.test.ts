import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { encodeFrame } from '../grpc/frame.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { Place } from '../testing/place.ts';
import { goodHeaders as good, RawClient, svidPath } from '../testing/raw-client.ts';
import { TestAgent } from '../testing/agent.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { WorkloadServer } from './server.ts';

const soon = (): AbortSignal => AbortSignal.timeout(10_000);

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
