import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame } from '../grpc/frame.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import type { IdentityChange } from '../source.ts';
import { TestAgent } from '../testing/agent.ts';
import { RawAgent } from '../testing/raw-agent.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { toX509SvidResponse } from './context.ts';
import { x509SvidResponseSchema } from './message.ts';
import type { WorkloadTiming } from './timing.ts';
import { X509Source, type X509SourceOptions } from './x509-source.ts';

const timing: WorkloadTiming = {
  pingMs: 20,
  silenceMs: 2000,
  deniedLeastMs: 10,
  deniedMostMs: 20,
  backoffLeastMs: 5,
  backoffMostMs: 40,
};
const hasCode = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;
const denied = new SpiffeError('permission_denied', 'the entry was deleted');

function open(
  agent: { readonly endpoint: string },
  options: Partial<X509SourceOptions> = {},
): Promise<X509Source> {
  return X509Source.open({
    endpoint: agent.endpoint,
    timing,
    signal: AbortSignal.timeout(10_000),
    ...options,
  });
}

/** The changes of a source in their order, one by one, as they come. */
function listen(source: X509Source): { next(): Promise<IdentityChange>; readonly heard: IdentityChange[] } {
  const heard: IdentityChange[] = [];
  let wake = Promise.withResolvers<void>();
  let taken = 0;
  source.subscribe((change) => {
    heard.push(change);
    wake.resolve();
  });
  return {
    heard,
    async next() {
      for (;;) {
        const change = heard[taken];
        if (change !== undefined) {
          taken++;
          return change;
        }
        wake = Promise.withResolvers<void>();
        await wake.promise;
      }
    },
  };
}

test('a source that is open has an identity, and the first SVID is the default (C-9)', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a', '/b']));
  await using source = await open(agent);
  assert.equal(source.state, 'held');
  assert.equal(source.current().svid.id.toString(), 'spiffe://example.org/a');
  assert.equal(source.context?.svids.length, 2);
  assert.equal(source.error, undefined);
});

test('opening waits for an agent that starts later and for an entry that is made later', async () => {
  await using agent = await TestAgent.open();
  await agent.stop();
  const opening = open(agent);
  await agent.start();
  while (agent.calls === 0) await new Promise((resolve) => setImmediate(resolve));
  agent.say(agent.issue(['/a']));
  await using source = await opening;
  assert.equal(source.current().svid.id.path, '/a');
});

test('opening without an agent says that there is no socket', async () => {
  await assert.rejects(open({ endpoint: 'unix:///nowhere/s' }, { firstAnswerMs: 300 }), (error) => {
    assert.ok(hasCode('connection_failed')(error) && error instanceof SpiffeError);
    assert.match(error.message, /unix:\/nowhere\/s: there is no such socket/);
    assert.ok(hasCode('connection_failed')(error.cause));
    return true;
  });
});

test('opening without an entry says that it was denied', async () => {
  await using agent = await TestAgent.open();
  const abort = new AbortController();
  const opening = open(agent, { signal: abort.signal });
  void (async () => {
    while (agent.calls < 2) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
  })();
  await assert.rejects(opening, (error) => {
    return (
      hasCode('permission_denied')(error) && error instanceof Error && /gRPC status 7/.test(error.message)
    );
  });
});

test('opening at an agent that says nothing tells of the time, and an abort of itself', async () => {
  await using agent = await RawAgent.open(() => undefined);
  await assert.rejects(open(agent, { firstAnswerMs: 30 }), hasCode('deadline_exceeded'));
  const abort = new AbortController();
  setImmediate(() => abort.abort());
  await assert.rejects(open(agent, { signal: abort.signal }), hasCode('aborted'));
  await assert.rejects(open(agent, { signal: AbortSignal.abort() }), hasCode('aborted'));
});

test('opening fails at once when asking again makes no sense', async () => {
  await using agent = await RawAgent.open(({ end }) => end('12'));
  await assert.rejects(open(agent), hasCode('unimplemented'));
  await assert.rejects(open({ endpoint: 'file:///x' }), hasCode('endpoint_invalid'));
});

test('opening fails at once with what the choice among SVIDs throws', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a', '/b']));
  const pick = (): never => {
    throw new SpiffeError('identity_ambiguous', 'which one?');
  };
  await assert.rejects(open(agent, { pick }), hasCode('identity_ambiguous'));
});

test('the SVID is the one that was picked, whatever else comes', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a', '/b']));
  await using source = await open(agent, { pick: (svids) => svids.find((svid) => svid.id.path === '/b') });
  const changes = listen(source);
  assert.equal(source.current().svid.id.path, '/b');
  agent.say(agent.issue(['/c', '/b', '/a']));
  assert.equal((await changes.next()).kind, 'updated');
  assert.equal(source.current().svid.id.path, '/b');
  agent.say(agent.issue(['/a']));
  assert.deepEqual(await changes.next(), { kind: 'withdrawn', reason: 'absent' });
});

test('an update says what is different, and one without a difference says nothing', async () => {
  await using agent = await TestAgent.open();
  const other = CertificateAuthority.create({ trustDomain: TrustDomain.parse('other.org') });
  const first = agent.issue(['/a']);
  agent.say(first);
  await using source = await open(agent);
  const changes = listen(source);
  const names = (change: IdentityChange): unknown =>
    change.kind === 'updated' ? [change.svidChanged, ...change.bundlesChanged.map((td) => td.name)] : change;

  agent.say({ svids: [...first.svids], bundles: X509BundleSet.of(agent.authority.bundle()) });
  const rotated = agent.issue(['/a']);
  agent.say(rotated);
  assert.deepEqual(names(await changes.next()), [true]);
  agent.say({ ...rotated, bundles: X509BundleSet.of(agent.authority.bundle(), other.bundle()) });
  assert.deepEqual(names(await changes.next()), [false, 'other.org']);
  assert.ok(source.current().bundles.get(other.trustDomain));
  agent.say({ ...rotated });
  assert.deepEqual(names(await changes.next()), [false, 'other.org']);
  assert.equal(changes.heard.length, 3);
});

test('C-7 a denial on a running stream takes the identity away, and an update gives it back', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using source = await open(agent);
  const changes = listen(source);
  agent.say(denied);
  assert.deepEqual(await changes.next(), { kind: 'withdrawn', reason: 'permission_denied' });
  assert.equal(source.state, 'withdrawn');
  assert.throws(() => source.current(), hasCode('identity_withdrawn'));
  assert.equal(source.error?.code, 'permission_denied');
  agent.say(agent.issue(['/a']));
  const back = await changes.next();
  assert.ok(back.kind === 'updated' && back.svidChanged);
  assert.equal(source.current().svid.id.path, '/a');
  assert.equal(changes.heard.length, 2);
});

test('an update without SVIDs takes the identity away', async () => {
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  const svid = authority.issueX509Svid({ id: SpiffeId.parse('spiffe://example.org/a') });
  const response = toX509SvidResponse({ svids: [svid], bundles: X509BundleSet.of(authority.bundle()) });
  const empty = Promise.withResolvers<void>();
  await using agent = await RawAgent.open(({ send }) => {
    send(encodeFrame(x509SvidResponseSchema.encode(response)));
    void empty.promise.then(() => send(encodeFrame(new Uint8Array(0))));
  });
  await using source = await open(agent);
  const changes = listen(source);
  empty.resolve();
  assert.deepEqual(await changes.next(), { kind: 'withdrawn', reason: 'absent' });
});

test('an agent that goes away leaves the identity usable, and its return is told', async () => {
  await using agent = await TestAgent.open();
  const answer = agent.issue(['/a']);
  agent.say(answer);
  await using source = await open(agent);
  const changes = listen(source);
  await agent.stop();
  const lost = await changes.next();
  assert.equal(lost.kind, 'unreachable');
  assert.equal(source.state, 'unreachable');
  assert.equal(source.current().svid.id.path, '/a');
  await agent.start();
  assert.deepEqual(await changes.next(), { kind: 'reachable' });
  assert.deepEqual(await changes.next(), { kind: 'updated', svidChanged: false, bundlesChanged: [] });
  assert.equal(source.state, 'held');
});

test('a connection that is cut is unreachable, not withdrawn', async () => {
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  const svid = authority.issueX509Svid({ id: SpiffeId.parse('spiffe://example.org/a') });
  const response = toX509SvidResponse({ svids: [svid], bundles: X509BundleSet.of(authority.bundle()) });
  const cut = Promise.withResolvers<void>();
  await using agent = await RawAgent.open((turn) => {
    if (turn.call > 1) return;
    turn.send(encodeFrame(x509SvidResponseSchema.encode(response)));
    void cut.promise.then(() => turn.cut());
  });
  await using source = await open(agent);
  const changes = listen(source);
  cut.resolve();
  const change = await changes.next();
  assert.ok(change.kind === 'unreachable' && change.error.code === 'connection_failed');
  assert.equal(source.current().svid.id.path, '/a');
});

test('an agent that falls silent is unreachable', async () => {
  const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
  const svid = authority.issueX509Svid({ id: SpiffeId.parse('spiffe://example.org/a') });
  const response = toX509SvidResponse({ svids: [svid], bundles: X509BundleSet.of(authority.bundle()) });
  await using agent = await RawAgent.open((turn) => {
    if (turn.call === 1) turn.send(encodeFrame(x509SvidResponseSchema.encode(response)));
  });
  // Less time than one ping takes to be asked for: to this source every agent is silent.
  await using source = await open(agent, { timing: { ...timing, pingMs: 100, silenceMs: 100 } });
  const change = await listen(source).next();
  assert.ok(change.kind === 'unreachable' && /silent/.test(change.error.message));
  assert.equal(source.current().svid.id.path, '/a');
});

test('a denial while the agent was away is heard when it is back, and being away changes nothing after that', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using source = await open(agent);
  const changes = listen(source);
  await agent.stop();
  assert.equal((await changes.next()).kind, 'unreachable');
  agent.say(denied);
  await agent.start();
  assert.deepEqual(await changes.next(), { kind: 'withdrawn', reason: 'permission_denied' });
  await agent.stop();
  while (source.error?.code === 'permission_denied') await new Promise((resolve) => setImmediate(resolve));
  assert.equal(source.state, 'withdrawn');
  assert.equal(changes.heard.length, 2);
});

test('an identity is not used after its last second', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a'], { lifetimeMs: 2000 }));
  await using source = await open(agent);
  const { notAfter } = source.current().svid;
  await agent.stop();
  while (Date.now() <= notAfter.getTime()) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.throws(() => source.current(), hasCode('identity_expired'));
});

test('listeners hear everything synchronously, in their order, until they unsubscribe', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using source = await open(agent);
  const heard: string[] = [];
  const first = source.subscribe((change) => heard.push(`1 ${change.kind} ${source.state}`));
  source.subscribe((change) => heard.push(`2 ${change.kind} ${source.state}`));
  const changes = listen(source);
  agent.say(denied);
  await changes.next();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  agent.say(agent.issue(['/a']));
  await changes.next();
  assert.deepEqual(heard, ['1 withdrawn withdrawn', '2 withdrawn withdrawn', '2 updated held']);
});

test('a source that was disposed of, or whose signal fired, has no identity and tells nobody', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  const abort = new AbortController();
  const source = await open(agent, { signal: abort.signal });
  const changes = listen(source);
  abort.abort();
  await source[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  assert.throws(() => source.current(), hasCode('identity_withdrawn'));
  assert.equal(changes.heard.length, 0);
  while (agent.connections > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a process ends by itself after its source has ended, whatever the source was doing', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  const program = `
    const { writeSync } = await import('node:fs'); // process.stdout would be a pipe of its own
    const count = () => process.getActiveResourcesInfo().filter((name) => /Pipe|TCP|Timeout/.test(name)).length;
    const { X509Source } = await import(${JSON.stringify(new URL('../index.ts', import.meta.url).href)});
    const before = count();
    const signal = new AbortController().signal;
    { await using source = await X509Source.open({ endpoint: ${JSON.stringify(agent.endpoint)}, signal, firstAnswerMs: 60_000 }); }
    const abort = new AbortController();
    const again = await X509Source.open({ endpoint: ${JSON.stringify(agent.endpoint)}, signal: abort.signal });
    abort.abort();
    await X509Source.open({ endpoint: 'unix:///nowhere/s', signal: AbortSignal.timeout(150) }).catch((error) => writeSync(1, error.code + '\\n'));
    for (let turn = 0; turn < 100 && count() > before; turn++) await new Promise((resolve) => setImmediate(resolve));
    writeSync(1, String(count() - before));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 10_000,
  });
  assert.equal(stdout, 'connection_failed\n0');
});
