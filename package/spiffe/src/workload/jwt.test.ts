import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JwtAuthority } from '../ca/jwt-authority.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame } from '../grpc/frame.ts';
import type { Schema } from '../grpc/schema.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestAgent } from '../testing/agent.ts';
import { RawAgent } from '../testing/raw-agent.ts';
import { goodHeaders, RawClient } from '../testing/raw-client.ts';
import { WorkloadClient } from './client.ts';
import {
  jwtBundlesResponseSchema,
  jwtSvidRequestSchema,
  jwtSvidResponseSchema,
  validateJwtSvidRequestSchema,
  type JwtSvidResponse,
} from './message.ts';

const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const id = (path: string): SpiffeId => SpiffeId.parse(`spiffe://example.org${path}`);
const hasCode = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;

async function withAgent(...paths: readonly string[]) {
  const agent = await TestAgent.open();
  if (paths.length > 0) agent.say(agent.issue(paths));
  return agent;
}

/** A call with nothing between it and the server; its status and its answers. */
async function ask<T>(agent: TestAgent, name: string, schema: Schema<T>, request: T): Promise<string> {
  await using client = new RawClient(agent.path);
  const body = encodeFrame(schema.encode(request));
  return await client.call(`/SpiffeWorkloadAPI/${name}`, goodHeaders, body).statusNow();
}

test('W-6 a question for a token without an audience, or with an empty one, is an invalid argument', async () => {
  await using agent = await withAgent('/a');
  const statusOf = (audience: readonly string[], spiffeId = '') =>
    ask(agent, 'FetchJWTSVID', jwtSvidRequestSchema, { audience, spiffeId });
  for (const audience of [[], [''], ['us', '']]) assert.equal(await statusOf(audience), '3');
  for (const wrong of ['/a', 'https://example.org/a', 'spiffe://example.org/a/'])
    assert.equal(await statusOf(['us'], wrong), '3', wrong);
  assert.equal(agent.questions, 0);
  assert.equal(await statusOf(['us']), '0');
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  await assert.rejects(client.fetchJwtSvids({ audience: [] }, soon()), hasCode('invalid_argument'));
});

test('W-6 a question whether a token is good without audience or token is an invalid argument', async () => {
  await using agent = await withAgent('/a');
  const { token } = agent.jwtAuthority.issueJwtSvid({ id: id('/a'), audience: ['us'] });
  const statusOf = (audience: string, svid: string) =>
    ask(agent, 'ValidateJWTSVID', validateJwtSvidRequestSchema, { audience, svid });
  assert.equal(await statusOf('', token), '3');
  assert.equal(await statusOf('us', ''), '3');
  assert.equal(await statusOf('us', 'no token'), '3');
  assert.equal(await statusOf('them', token), '3');
  assert.equal(await statusOf('us', token), '0');
});

test('W-7 without an ID all identities get a token, the default first; with one only that', async () => {
  await using agent = await withAgent('/a', '/b');
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  const all = await client.fetchJwtSvids({ audience: ['us', 'them'] }, soon());
  assert.deepEqual(
    all.map((svid) => svid.id.path),
    ['/a', '/b'],
  );
  assert.deepEqual(all[0]?.audience, ['us', 'them']);
  const [one, ...more] = await client.fetchJwtSvids({ audience: ['us'], id: id('/b') }, soon());
  assert.equal(one?.id.path, '/b');
  assert.deepEqual(more, []);
});

test('W-7 an ID that the workload is not entitled to is denied, and so is a workload without any', async () => {
  await using agent = await withAgent('/a');
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  const denied = hasCode('permission_denied');
  await assert.rejects(client.fetchJwtSvids({ audience: ['us'], id: id('/b') }, soon()), denied);
  agent.say(new SpiffeError('permission_denied', 'the entry was deleted'));
  await assert.rejects(client.fetchJwtSvids({ audience: ['us'] }, soon()), denied);
  await assert.rejects(client.fetchJwtBundles(soon()), denied);
});

test('W-8 the JWT bundles include the own one and hold JWT authorities alone; each change is told', async () => {
  await using agent = await withAgent('/a');
  const other = JwtAuthority.create(TrustDomain.parse('other.org'));
  agent.federatedJwt = [other.bundle()];
  const watch = new WorkloadClient({ endpoint: agent.endpoint }).watchJwtBundles(soon());
  const first = await watch.next();
  assert.deepEqual(
    [...first.value].map(({ trustDomain }) => trustDomain.name),
    ['example.org', 'other.org'],
  );
  agent.federatedJwt = [];
  agent.say(agent.issue(['/a']));
  assert.equal((await watch.next()).value.size, 1);
  await watch.return(undefined as never);
  await using raw = new RawClient(agent.path);
  const step = await raw.call('/SpiffeWorkloadAPI/FetchJWTBundles').messages.next();
  assert.ok(step.done !== true);
  const { bundles } = jwtBundlesResponseSchema.decode(step.value);
  const { keys } = JSON.parse(Buffer.from(bundles.get('spiffe://example.org') ?? []).toString('utf8'));
  assert.deepEqual(
    keys.map(({ use }: { use: string }) => use),
    ['jwt-svid', 'jwt-svid'],
  );
});

test('W-9 no two tokens of an answer have the same hint', async () => {
  await using agent = await TestAgent.open();
  agent.say(agent.issue(['/a', '/b'], { hint: 'same' }));
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  const svids = await client.fetchJwtSvids({ audience: ['us'] }, soon());
  assert.deepEqual(
    svids.map(({ hint }) => hint),
    ['same', ''],
  );
});

test('the agent says of a token whose it is and what else it claims', async () => {
  await using agent = await withAgent('/a');
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  const [svid] = await client.fetchJwtSvids({ audience: ['us'] }, soon());
  assert.ok(svid);
  const { id: subject, claims } = await client.validateJwtSvid({ token: svid.token, audience: 'us' }, soon());
  assert.ok(subject.equals(id('/a')));
  assert.deepEqual(claims['aud'], ['us']);
  assert.equal(claims['exp'], svid.notAfter.getTime() / 1000);
  const invalid = hasCode('invalid_argument');
  await assert.rejects(client.validateJwtSvid({ token: svid.token, audience: 'them' }, soon()), invalid);
  await assert.rejects(client.validateJwtSvid({ token: `${svid.token}A`, audience: 'us' }, soon()), invalid);
  await assert.rejects(client.validateJwtSvid({ token: svid.token, audience: '' }, soon()), invalid);
});

test('an answer that is not what was asked for is none', async () => {
  const authority = JwtAuthority.create(TrustDomain.parse('example.org'));
  const issue = (path: string, audience = 'us', now = new Date()) =>
    authority.issueJwtSvid({ id: id(path), audience: [audience], now }).token;
  const message = (path: string, token: string, hint = '') => ({
    spiffeId: id(path).toString(),
    svid: token,
    hint,
  });
  const answers: readonly (readonly [JwtSvidResponse['svids'], string])[] = [
    [[], 'protocol_invalid'],
    [[message('/a', '')], 'token_invalid'],
    [[message('/a', 'no token')], 'token_invalid'],
    [[message('/b', issue('/a'))], 'token_invalid'],
    [[message('/b', issue('/b'))], 'token_invalid'],
    [[message('/a', issue('/a', 'them'))], 'token_invalid'],
    [[message('/a', issue('/a', 'us', new Date(Date.now() - 3_600_000)))], 'token_invalid'],
    [[message('/a', issue('/a'), 'h'.repeat(1025))], 'svid_invalid'],
  ];
  await using agent = await RawAgent.open(({ call, send, end }) => {
    send(encodeFrame(jwtSvidResponseSchema.encode({ svids: answers[call - 1]?.[0] ?? [] })));
    end('0');
  });
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  for (const [, code] of answers) {
    await assert.rejects(client.fetchJwtSvids({ audience: ['us'], id: id('/a') }, soon()), hasCode(code));
  }
});

test('C-9 of several tokens with one hint the first counts', async () => {
  const authority = JwtAuthority.create(TrustDomain.parse('example.org'));
  const messages = ['/a', '/b', '/c', '/d'].map((path, index) => ({
    spiffeId: id(path).toString(),
    svid: authority.issueJwtSvid({ id: id(path), audience: ['us'] }).token,
    hint: ['x', 'x', '', ''][index] ?? '',
  }));
  await using agent = await RawAgent.open(({ send, end }) => {
    send(encodeFrame(jwtSvidResponseSchema.encode({ svids: messages })));
    end('0');
  });
  const svids = await new WorkloadClient({ endpoint: agent.endpoint }).fetchJwtSvids(
    { audience: ['us'] },
    soon(),
  );
  assert.deepEqual(
    svids.map(({ id: { path } }) => path),
    ['/a', '/c', '/d'],
  );
});
