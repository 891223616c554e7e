import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame } from '../grpc/frame.ts';
import type { MessageOf } from '../grpc/schema.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestAgent } from '../testing/agent.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { WorkloadClient } from './client.ts';
import { decodeX509Bundles, decodeX509Context, toX509SvidResponse } from './context.ts';
import { x509BundlesResponseSchema, x509SvidResponseSchema } from './message.ts';
import { RawAgent } from '../testing/raw-agent.ts';
import type { WorkloadTiming } from './timing.ts';
import type { WatchEvent } from './watch.ts';

const timing: WorkloadTiming = {
  pingMs: 20,
  silenceMs: 2000,
  deniedLeastMs: 10,
  deniedMostMs: 20,
  backoffLeastMs: 5,
  backoffMostMs: 40,
};
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const hasCode = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;
type Response = MessageOf<typeof x509SvidResponseSchema>;

async function take<T>(events: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

const kinds = (events: readonly WatchEvent<unknown>[]): string[] => events.map((event) => event.kind);

function issue(...paths: string[]): Response {
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  const svids = paths.map((path) =>
    authority.issueX509Svid({ id: SpiffeId.parse(`spiffe://example.org${path}`) }),
  );
  return toX509SvidResponse({ svids, bundles: X509BundleSet.of(authority.bundle()) });
}

const frame = (response: Response): Uint8Array => encodeFrame(x509SvidResponseSchema.encode(response));

test('C-1 a client without an endpoint takes that of the environment it is given', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  const client = new WorkloadClient({ env: { SPIFFE_ENDPOINT_SOCKET: agent.endpoint } });
  assert.equal((await client.fetchX509Context(soon())).svids[0]?.id.path, '/a');
  assert.throws(() => new WorkloadClient({ env: {} }), hasCode('endpoint_invalid'));
  assert.throws(() => new WorkloadClient({ endpoint: 'nonsense' }), hasCode('endpoint_invalid'));
});

test('C-2 a tcp endpoint works like a socket', async () => {
  await using agent = await RawAgent.tcp(({ send }) => send(frame(issue('/a'))));
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  assert.equal((await client.fetchX509Context(soon())).svids[0]?.id.path, '/a');
});

test('C-3 every call has the security header', async () => {
  await using agent = await RawAgent.open(({ path, send }) => {
    if (path.endsWith('FetchX509SVID')) send(frame(issue('/a')));
    else send(encodeFrame(x509BundlesResponseSchema.encode({ crl: [], bundles: bundleMap() })));
  });
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  await client.fetchX509Context(soon());
  await client.fetchX509Bundles(soon());
  await take(client.watchX509Context(soon()), 1);
  await take(client.watchX509Bundles(soon()), 1);
  assert.deepEqual(
    agent.headers.map((headers) => headers['workload.spiffe.io']),
    ['true', 'true', 'true', 'true'],
  );
});

for (const [code, status] of [
  ['invalid_argument', '3'],
  ['unimplemented', '12'],
] as const) {
  test(`C-4 after ${code} nothing is tried again`, async () => {
    await using agent = await RawAgent.open(({ end }) => end(status));
    const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
    await assert.rejects(take(client.watchX509Context(soon()), 1), hasCode(code));
    assert.equal(agent.headers.length, 1);
  });
}

test('C-5 after a denial it asks again until there is an identity', async () => {
  await using agent = await RawAgent.open(({ call, send, end }) => {
    if (call <= 3) end('7');
    else send(frame(issue('/a')));
  });
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  const started = performance.now();
  assert.deepEqual(kinds(await take(client.watchX509Events(soon()), 4)), [
    'denied',
    'denied',
    'denied',
    'received',
  ]);
  assert.ok(performance.now() - started >= 3 * timing.deniedLeastMs - 2);
});

test('C-5 a denial after an answer may be a mistake: it asks again soon, once', async () => {
  const rare = { ...timing, deniedLeastMs: 2_000, deniedMostMs: 2_000 };
  await using agent = await RawAgent.open(({ call, send, end }) => {
    if (call === 1) send(frame(issue('/a')));
    end('7');
  });
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing: rare });
  const events = client.watchX509Events(soon());
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    const { value } = await events.next();
    times.push(performance.now());
    assert.equal(value.kind, i === 0 ? 'received' : 'denied');
  }
  const [, first = 0, second = 0, third = 0] = times;
  assert.ok(second - first < rare.deniedLeastMs, `it waited for ${second - first} ms`);
  assert.ok(third - second >= rare.deniedLeastMs - 2, 'and then as rarely as ever');
  await events.return(undefined as never);
});

test('C-5 while it is unavailable or unreachable it asks again, ever more rarely up to a limit', async () => {
  await using agent = await TestAgent.open();
  agent.say(new SpiffeError('unavailable', 'starting'));
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  assert.deepEqual(kinds(await take(client.watchX509Events(soon()), 2)), ['lost', 'lost']);
  await agent.stop();
  const events = client.watchX509Events(soon());
  for (let i = 0; i < 6; i++) {
    const { value } = await events.next();
    assert.ok(value.kind === 'lost' && value.error.code === 'connection_failed');
    assert.match(value.error.message, /no such socket/);
  }
  await agent.start();
  agent.say(agent.issue(['/a']));
  const started = performance.now();
  while ((await events.next()).value.kind !== 'received');
  assert.ok(performance.now() - started < 5000);
  await events.return(undefined as never);
});

test('C-6 a stream that is closed is opened again at once', async () => {
  await using agent = await RawAgent.open(({ call, send, end }) => {
    send(frame(issue(`/${call}`)));
    if (call === 1) end('0');
  });
  const slow = { ...timing, backoffLeastMs: 60_000, backoffMostMs: 60_000 };
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing: slow });
  const contexts = await take(client.watchX509Context(soon()), 2);
  assert.deepEqual(
    contexts.map((context) => context.svids[0]?.id.path),
    ['/1', '/2'],
  );
});

test('C-6 a stream stays open from one message to the next', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  const contexts = client.watchX509Context(soon());
  await contexts.next();
  for (const path of ['/b', '/c']) {
    agent.say(agent.issue([path]));
    assert.equal((await contexts.next()).value.svids[0]?.id.path, path);
  }
  assert.equal(agent.calls, 1);
  await contexts.return(undefined as never);
});

test('C-6 a server that ends each stream after its message is not asked in a circle', async () => {
  await using agent = await RawAgent.open(({ send, end }) => {
    send(frame(issue('/a')));
    end('0');
  });
  const client = new WorkloadClient({
    endpoint: agent.endpoint,
    timing: { ...timing, backoffLeastMs: 60_000 },
  });
  const contexts = client.watchX509Context(AbortSignal.timeout(150));
  await assert.rejects(take(contexts, 1000), hasCode('deadline_exceeded'));
  assert.equal(agent.headers.length, 2);
});

test('C-6 a server that takes pings for abuse is asked for signs of life in another way', async () => {
  await using agent = await RawAgent.open(({ call, send, calm }) => {
    send(frame(issue(`/${call}`)));
    if (call === 1) calm();
  });
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  const events = await take(client.watchX509Events(soon()), 2);
  assert.deepEqual(kinds(events), ['received', 'received']);
});

test('C-7 each message is the whole state: bundles that are not in it are gone', async () => {
  await using agent = await TestAgent.open();
  const other = CertificateAuthority.create({ trustDomain: TrustDomain.parse('other.org') });
  agent.say(agent.issue(['/a'], { federated: X509BundleSet.of(other.bundle()) }));
  const contexts = new WorkloadClient({ endpoint: agent.endpoint, timing }).watchX509Context(soon());
  assert.ok((await contexts.next()).value.bundles.get(other.trustDomain));
  agent.say(agent.issue(['/a']));
  const { value } = await contexts.next();
  assert.equal(value.bundles.get(other.trustDomain), undefined);
  assert.ok(value.bundles.get(agent.authority.trustDomain));
  await contexts.return(undefined as never);
});

test('C-8 a message that lacks something, or is wrong, is refused whole', () => {
  const fine = issue('/a', '/b');
  const [first, second] = fine.svids;
  assert.ok(first && second);
  const encode = (change: Partial<typeof first>): Uint8Array =>
    x509SvidResponseSchema.encode({
      ...fine,
      svids: [{ ...first, x509SvidKey: first.x509SvidKey.slice(), ...change }, second],
    });
  assert.equal(decodeX509Context(encode({})).svids.length, 2);
  const none = new Uint8Array(0);
  const wrong: Record<string, Partial<typeof first>> = {
    'no ID': { spiffeId: '' },
    'the ID of another': { spiffeId: 'spiffe://example.org/b' },
    'no certificate': { x509Svid: none },
    'no certificate but noise': { x509Svid: Uint8Array.of(1, 2, 3) },
    'no key': { x509SvidKey: none },
    'the key of another': { x509SvidKey: second.x509SvidKey.slice() },
    'no bundle': { bundle: none },
    'no bundle but noise': { bundle: Uint8Array.of(0x30) },
    'a hint that is too long': { hint: 'x'.repeat(1025) },
  };
  for (const [name, change] of Object.entries(wrong)) {
    assert.throws(() => decodeX509Context(encode(change)), SpiffeError, name);
  }
  const foreign = (key: string): Uint8Array =>
    x509SvidResponseSchema.encode({ ...fine, svids: [], federatedBundles: new Map([[key, first.bundle]]) });
  assert.equal(decodeX509Context(foreign('spiffe://other.org')).bundles.size, 1);
  for (const key of ['', 'other.org', 'spiffe://other.org/a', 'https://other.org']) {
    assert.throws(() => decodeX509Context(foreign(key)), SpiffeError, key);
  }
  assert.throws(() => decodeX509Bundles(none), hasCode('bundle_invalid'));
});

test('C-8 a message that is wrong is discarded, and the stream goes on', async () => {
  const fine = issue('/a');
  await using agent = await RawAgent.open(({ send }) => {
    send(frame(fine));
    send(encodeFrame(Uint8Array.of(0x0b)));
    send(frame({ ...fine, svids: fine.svids.map((svid) => ({ ...svid, bundle: new Uint8Array(0) })) }));
    send(frame(issue('/b')));
  });
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  const events = await take(client.watchX509Events(soon()), 4);
  assert.deepEqual(kinds(events), ['received', 'discarded', 'discarded', 'received']);
  assert.equal(agent.headers.length, 1);
});

test('C-9 of SVIDs with the same hint the first counts, and those without a hint all do', () => {
  const fine = issue('/a', '/b', '/c', '/d');
  const hints = ['x', 'x', '', ''];
  const svids = fine.svids.map((svid, i) => ({ ...svid, hint: hints[i] ?? '' }));
  const context = decodeX509Context(x509SvidResponseSchema.encode({ ...fine, svids }));
  assert.deepEqual(
    context.svids.map((svid) => svid.id.path),
    ['/a', '/c', '/d'],
  );
  assert.equal(context.svids[0]?.hint, 'x');
});

test('C-10 the bundles of the X.509 calls are X.509 bundles, each under its own trust domain', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  const bundles = await client.fetchX509Bundles(soon());
  assert.ok(bundles.get(agent.authority.trustDomain)?.equals(agent.authority.bundle()));
  const jwks = new Map([['spiffe://example.org', Buffer.from('{"keys":[]}')]]);
  assert.throws(
    () => decodeX509Bundles(x509BundlesResponseSchema.encode({ crl: [], bundles: jwks })),
    SpiffeError,
  );
});

test('the private key is wiped from the message that it came in', () => {
  const response = issue('/a');
  const bytes = Uint8Array.from(x509SvidResponseSchema.encode(response));
  const key = response.svids[0]?.x509SvidKey ?? new Uint8Array(0);
  assert.ok(Buffer.from(bytes).includes(key));
  decodeX509Context(bytes);
  assert.ok(!Buffer.from(bytes).includes(key.subarray(30, 60)));
});

test('one fetch is one attempt, and says what is in the way', async () => {
  await using agent = await TestAgent.open();
  const client = new WorkloadClient({ endpoint: agent.endpoint, timing });
  await assert.rejects(client.fetchX509Context(soon()), hasCode('permission_denied'));
  await agent.stop();
  await assert.rejects(client.fetchX509Context(soon()), hasCode('connection_failed'));
  assert.equal(agent.calls, 1);
});

function bundleMap(): ReadonlyMap<string, Uint8Array> {
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  return new Map([['spiffe://example.org', authority.bundle().toDer()]]);
}
