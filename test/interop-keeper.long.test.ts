import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { TestAgent } from '@spike/spiffe/testing';
import { buildGo } from './interop/build.ts';
import { Program, type Said } from './interop/program.ts';
import { Parts } from './parts.ts';
import { until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ pass: 'correct horse' });

let goSpike: string;
before(async () => {
  goSpike = (await buildGo()).spike;
});

async function assertSecret(parts: Parts): Promise<void> {
  const { data } = await (await parts.callNexus()).getSecret({ path, version: 0 });
  assert.equal(data['pass'], 'correct horse');
}

/** A part in Go that gets one identity from a Workload API of its own, of the same trust domain. */
async function startGo(
  parts: Parts,
  part: 'keeper' | 'bootstrap',
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  await using stack = new AsyncDisposableStack();
  const trustDomain = parts.agent.authority.trustDomain.name;
  const agent = stack.use(await TestAgent.open(trustDomain));
  agent.say(parts.agent.issue([rolePaths[part]]));
  const roots = ['NEXUS', 'KEEPER', 'BOOTSTRAP', 'PILOT'].map((role) => [
    `SPIKE_TRUST_ROOT_${role}`,
    trustDomain,
  ]);
  const program = Program.start(goSpike, [part], {
    SPIFFE_ENDPOINT_SOCKET: agent.endpoint,
    SPIKE_NEXUS_KEEPER_PEERS: parts.keeperUrls().join(','),
    SPIKE_NEXUS_SHAMIR_SHARES: '3',
    SPIKE_NEXUS_SHAMIR_THRESHOLD: '2',
    ...Object.fromEntries(roots),
    ...env,
  });
  program.own(stack.move());
  return program;
}

/** A Keeper in Go, at the address that it had before. */
async function startGoKeeper(parts: Parts, id: number, port = 0): Promise<Program> {
  const program = await startGo(parts, 'keeper', { SPIKE_KEEPER_TLS_PORT: `127.0.0.1:${port}` });
  const said = await program.find('where it listens', (one) => 'port' in one);
  parts.placeKeeper(id, Number(said['port']));
  return program;
}

function portOf(parts: Parts, id: number): number {
  return Number(new URL(parts.keeperUrls()[id - 1] ?? '').port);
}

/** Runs a Bootstrap in Go until this line, and answers all that it said of the Keepers. */
async function bootstrapWithGo(
  parts: Parts,
  isLast: (said: Said) => boolean,
): Promise<ReadonlyMap<unknown, unknown>> {
  await using program = await startGo(parts, 'bootstrap', { SPIKE_NEXUS_API_URL: parts.nexus.url });
  const keepers = new Map<unknown, unknown>();
  for (;;) {
    const said = await program.next('what Bootstrap did');
    if ('keeper' in said) keepers.set(said['keeper'], said['code']);
    if (isLast(said)) return keepers;
  }
}

const isVerified = (said: Said): boolean => said['verified'] === true;

async function shareOf(parts: Parts, id: number): Promise<string | undefined> {
  const answer = await (await parts.callKeeper(id)).fetchShare({}).catch(() => undefined);
  return answer === undefined ? undefined : Buffer.from(answer.shard).toString('hex');
}

test('a Keeper in Go is one of three: it takes part in the ceremony, brings Nexus back, and gets its share again', async () => {
  await using parts = await Parts.open();
  await parts.startKeeper(1);
  await parts.startKeeper(2);
  await using first = await startGoKeeper(parts, 3);
  await parts.startNexus();
  const { code, stderr } = await parts.bootstrap();
  assert.equal(code, 0, stderr);
  await parts.nexus.reach('ready');
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  const given = await shareOf(parts, 3);
  assert.ok(given !== undefined);

  await parts.nexus.end('SIGKILL');
  await parts.keeper(2).end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts);

  await parts.startKeeper(2);
  await first[Symbol.asyncDispose]();
  await parts.reachHolding(1, 2);
  await using _second = await startGoKeeper(parts, 3, portOf(parts, 3));
  await until('it has its share again', async () => (await shareOf(parts, 3)) === given);
  await parts.reachHolding(1, 2, 3);

  await parts.nexus.end('SIGKILL');
  await parts.keeper(1).end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts);
});

test('a Bootstrap in Go makes a new system without a lease, and its second run changes nothing', async () => {
  await using parts = await Parts.open();
  await parts.startKeepers();
  await parts.startNexus();
  const handed = await bootstrapWithGo(parts, isVerified);
  assert.deepEqual([...handed.keys()], ['1', '2', '3']);
  assert.ok([...handed.values()].every((code) => code === undefined));
  await parts.nexus.reach('ready');
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);

  const again = await bootstrapWithGo(parts, (said) => said['verified'] === false);
  assert.deepEqual(new Set(again.values()), new Set(['api_bad_request']), 'our Keepers refuse it');
  await assertSecret(parts);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts);
  // And ours after one in Go.
  assert.equal((await parts.bootstrap()).code, 9);
});

test('a second Bootstrap in Go overwrites a Keeper in Go, which gets the share of the living key back', async () => {
  await using parts = await Parts.open();
  await parts.startKeeper(1);
  await parts.startKeeper(2);
  await using _keeper = await startGoKeeper(parts, 3);
  await parts.startNexus();
  await bootstrapWithGo(parts, isVerified);
  await parts.nexus.reach('ready');
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  const given = await shareOf(parts, 3);

  const again = await bootstrapWithGo(parts, (said) => said['verified'] === false);
  assert.equal(again.get('3'), undefined, 'it took the share of another key');
  await until('it has its share again', async () => (await shareOf(parts, 3)) === given);

  // When Nexus is away at that moment, one wrong share of three is not enough to keep it out, or to mislead it.
  await parts.nexus.end('SIGKILL');
  await bootstrapWithGo(parts, (said) => said['verified'] === false);
  assert.notEqual(await shareOf(parts, 3), given);
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts);
  await until('it has its share again', async () => (await shareOf(parts, 3)) === given);
});

test('a Bootstrap in Go needs all Keepers: while one of them lost its share nothing is made', async () => {
  await using parts = await Parts.open();
  await parts.startKeepers();
  await parts.startNexus();
  await parts.keeper(2).end('SIGKILL');
  const handed = await bootstrapWithGo(parts, (said) => said['verified'] === false);
  assert.equal(handed.get('2'), 'net_peer_connection');
  assert.equal(await parts.nexus.state(), 'empty');
  await parts.startKeeper(2);
  await bootstrapWithGo(parts, isVerified);
  await parts.nexus.reach('ready');
});
