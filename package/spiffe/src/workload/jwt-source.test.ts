import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TestAgent } from '../testing/agent.ts';
import { RawAgent } from '../testing/raw-agent.ts';
import { until } from '../testing/stage.ts';
import { JwtSource, type JwtSourceOptions } from './jwt-source.ts';
import type { WorkloadTiming } from './timing.ts';
import { X509Source } from './x509-source.ts';

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
const denied = new SpiffeError('permission_denied', 'the entry was deleted');

const open = (agent: { readonly endpoint: string }, options: Partial<JwtSourceOptions> = {}) =>
  JwtSource.open({ endpoint: agent.endpoint, timing, signal: soon(), ...options });

test('a token is asked for once for each set of audiences and ID', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a', '/b']));
  await using source = await open(agent);
  const first = await source.fetch({ audience: 'us' }, soon());
  assert.equal(first.id.path, '/a');
  assert.equal(await source.fetch({ audience: ['us', 'us'] }, soon()), first);
  assert.equal(agent.questions, 1);
  const both = await source.fetch({ audience: ['us', 'them'] }, soon());
  assert.equal(await source.fetch({ audience: ['them', 'us'] }, soon()), both);
  assert.equal(agent.questions, 2);
  const id = SpiffeId.parse('spiffe://example.org/b');
  assert.equal((await source.fetch({ audience: 'us', id }, soon())).id.path, '/b');
  assert.equal(agent.questions, 3);
  assert.equal(source.verify(first.token, { audience: 'us' }).id.path, '/a');
  assert.throws(() => source.verify(first.token, { audience: 'them' }), hasCode('token_refused'));
});

test('many who want the same token at once wait for one answer, and one of them may give up', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using source = await open(agent);
  const held = Promise.withResolvers<void>();
  agent.hold = held.promise;
  const abort = new AbortController();
  const impatient = source.fetch({ audience: 'us' }, abort.signal);
  const patient = Array.from({ length: 20 }, () => source.fetch({ audience: 'us' }, soon()));
  await until(() => agent.questions === 1);
  abort.abort();
  await assert.rejects(impatient, hasCode('aborted'));
  held.resolve();
  assert.equal(new Set(await Promise.all(patient)).size, 1);
  assert.equal(agent.questions, 1);
  await assert.rejects(source.fetch({ audience: 'us' }, AbortSignal.abort()), hasCode('aborted'));
});

test('a token is renewed in the second half of its life, and serves to its end while nobody answers', async (t) => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using source = await open(agent);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const first = await source.fetch({ audience: 'us' }, soon());
  t.mock.timers.tick(149_000);
  assert.equal(await source.fetch({ audience: 'us' }, soon()), first);
  t.mock.timers.tick(2_000);
  const second = await source.fetch({ audience: 'us' }, soon());
  assert.notEqual(second, first);
  assert.equal(agent.questions, 2);

  await agent.stop();
  t.mock.timers.tick(290_000);
  assert.equal(await source.fetch({ audience: 'us' }, soon()), second);
  assert.equal(source.state, 'unreachable');
  t.mock.timers.tick(11_000);
  await assert.rejects(source.fetch({ audience: 'us' }, soon()), hasCode('connection_failed'));
});

test('a withdrawal ends every token at once, and what was asked before it is of no use after it', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  await using source = await open(agent);
  const { token } = await source.fetch({ audience: 'us' }, soon());
  const held = Promise.withResolvers<void>();
  agent.hold = held.promise;
  const late = source.fetch({ audience: 'them' }, soon());
  await until(() => agent.questions === 2);
  agent.say(denied);
  await assert.rejects(late, hasCode('identity_withdrawn'));
  await assert.rejects(source.fetch({ audience: 'us' }, soon()), hasCode('identity_withdrawn'));
  assert.throws(() => source.verify(token, { audience: 'us' }), hasCode('identity_withdrawn'));
  assert.equal(source.state, 'withdrawn');
  held.resolve();

  agent.say(agent.issue(['/a']));
  await until(() => source.state === 'held');
  await source.fetch({ audience: 'them' }, soon());
  assert.equal(agent.questions, 3, 'the late answer was kept');
  await source.fetch({ audience: 'us' }, soon());
  assert.equal(agent.questions, 4, 'a token of the time before was kept');
});

test('a token of one ID among several is forgotten when that one is withdrawn', async () => {
  await using agent = await TestAgent.open();
  const answer = agent.issue(['/a', '/b']);
  agent.say(answer);
  await using identity = await X509Source.open({ endpoint: agent.endpoint, timing, signal: soon() });
  await using source = await open(agent, { identity });
  const id = SpiffeId.parse('spiffe://example.org/b');
  await source.fetch({ audience: 'us', id }, soon());
  await source.fetch({ audience: 'us' }, soon());
  // The SVID that the X.509 source has picked stays as it is.
  agent.say({ ...answer, svids: answer.svids.slice(0, 1) });
  await until(() => identity.context?.svids.length === 1);
  await assert.rejects(source.fetch({ audience: 'us', id }, soon()), hasCode('permission_denied'));
  const before = agent.questions;
  assert.equal((await source.fetch({ audience: 'us' }, soon())).id.path, '/a');
  assert.equal(agent.questions, before);
});

test('an identity that was absent for a while has tokens again when it is back, with the stream open all the time', async () => {
  await using agent = await TestAgent.open();
  const answer = agent.issue(['/a']);
  agent.say(answer);
  // Its bundles come once, and are the same afterwards.
  await using tokens = await TestAgent.open();
  tokens.say(answer);
  await using identity = await X509Source.open({ endpoint: agent.endpoint, timing, signal: soon() });
  await using source = await open(tokens, { identity });
  const { token } = await source.fetch({ audience: 'us' }, soon());
  const held = Promise.withResolvers<void>();
  tokens.hold = held.promise;
  const late = source.fetch({ audience: 'them' }, soon());
  await until(() => tokens.questions === 2);

  agent.say({ ...answer, svids: [] });
  await assert.rejects(late, hasCode('identity_withdrawn'));
  assert.deepEqual([source.state, source.error?.code], ['withdrawn', 'permission_denied']);
  assert.throws(() => source.bundles, hasCode('identity_withdrawn'));
  assert.throws(() => source.verify(token, { audience: 'us' }), hasCode('identity_withdrawn'));
  await assert.rejects(source.fetch({ audience: 'us' }, soon()), hasCode('identity_withdrawn'));
  assert.equal(tokens.questions, 2);
  held.resolve();

  agent.say(answer);
  await until(() => identity.state === 'held');
  assert.deepEqual([source.state, source.error], ['held', undefined]);
  await source.fetch({ audience: 'us' }, soon());
  await source.fetch({ audience: 'them' }, soon());
  assert.equal(tokens.questions, 4, 'a token of the time before was kept');
  assert.equal(source.verify(token, { audience: 'us' }).id.path, '/a');
});

test('opening tells what is in the way', async () => {
  await assert.rejects(
    open({ endpoint: 'unix:///nowhere/s' }, { firstAnswerMs: 200 }),
    hasCode('connection_failed'),
  );
  await using agent = await RawAgent.open(({ end }) => end('12'));
  await assert.rejects(open(agent), hasCode('unimplemented'));
  await assert.rejects(open({ endpoint: 'nonsense' }), hasCode('endpoint_invalid'));
});

test('a question has an end of its own, and an empty audience none of its', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  agent.hold = new Promise(() => undefined);
  await using source = await open(agent, { fetchMs: 50 });
  await assert.rejects(source.fetch({ audience: 'us' }, soon()), hasCode('deadline_exceeded'));
  await assert.rejects(source.fetch({ audience: [] }, soon()), hasCode('invalid_argument'));
});

test('a source that was closed has no token for anybody, not even for one who waits', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a']));
  agent.hold = new Promise(() => undefined);
  const source = await open(agent);
  const waiting = source.fetch({ audience: 'us' }, soon());
  waiting.catch(() => undefined);
  await source[Symbol.asyncDispose]();
  await assert.rejects(waiting, hasCode('aborted'));
  await assert.rejects(source.fetch({ audience: 'us' }, soon()), hasCode('identity_withdrawn'));
});
