import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame } from '../grpc/frame.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { Place } from '../testing/place.ts';
import { goodHeaders as good, RawClient, svidPath } from '../testing/raw-client.ts';
import { TestAgent } from '../testing/agent.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Svid } from '../x509/svid.ts';
import { x509BundlesResponseSchema } from './message.ts';
import { WorkloadServer, type WorkloadHandler } from './server.ts';

const soon = (): AbortSignal => AbortSignal.timeout(10_000);

async function within<T>(promise: Promise<T>): Promise<T> {
  const late = once(soon(), 'abort').then(() => assert.fail('it took too long'));
  return Promise.race([promise, late]);
}

const silent: WorkloadHandler = { async *watchX509() {}, async *watchX509Bundles() {} };
const hasCode = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;

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

test('W-10 the WIT calls are unimplemented, and the JWT calls of a server that has no tokens', async () => {
  await using agent = await TestAgent.open();
  await using place = await Place.make();
  await using _server = await place.listen(silent);
  const statuses = async (path: string, ...names: readonly string[]): Promise<readonly string[]> => {
    await using client = new RawClient(path);
    const body = encodeFrame(Buffer.from('0a0161120162', 'hex'));
    return await Promise.all(
      names.map((name) => client.call(`/SpiffeWorkloadAPI/${name}`, good, body).statusNow()),
    );
  };
  const [wit, jwt] = [
    ['FetchWITSVID', 'FetchWITBundles'],
    ['FetchJWTSVID', 'FetchJWTBundles', 'ValidateJWTSVID'],
  ];
  assert.ok(wit && jwt);
  assert.deepEqual(await statuses(agent.path, ...wit), ['12', '12']);
  assert.deepEqual(await statuses(place.path, ...wit, ...jwt), ['12', '12', '12', '12', '12']);
  assert.ok(!(await statuses(agent.path, ...jwt)).includes('12'));
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

test('a server whose mode cannot be set does not go on listening', async () => {
  await using place = await Place.make();
  await assert.rejects(place.listen(silent, { mode: 2 ** 33 }), hasCode('endpoint_invalid'));
  await assert.rejects(lstat(place.path), { code: 'ENOENT' });
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
