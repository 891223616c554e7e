import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { keeperTable, rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { Polynomial, RootKey } from '@spike/crypto';
import { createLog } from '@spike/log';
import { formatShare } from '@spike/recovery';
import { listen, noPolicies, openGate, RoleBook } from '@spike/server';
import { authorizeAny } from '@spike/spiffe';
import { openCaller } from './caller.ts';
import { Parts } from './parts.ts';
import { System, until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ pass: 'correct horse' });
const orders = [
  [1, 2, 3],
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
] as const;

async function assertSecret(parts: Parts): Promise<void> {
  const { data } = await (await parts.callNexus()).getSecret({ path, version: 0 });
  assert.equal(data['pass'], 'correct horse');
}

test('Keepers that die and come back in every order get their shares again, and any two of three bring Nexus back', async () => {
  await using parts = await Parts.bootstrapped();
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  for (const [first, second, third] of orders) {
    await parts.keeper(first).end('SIGKILL');
    await parts.keeper(second).end('SIGKILL');
    await parts.reachHolding(third);
    await assertSecret(parts);
    await parts.startKeeper(first);
    await parts.reachHolding(...[first, third].toSorted((a, b) => a - b));
    await parts.nexus.end('SIGKILL');
    await parts.startNexus();
    await parts.nexus.reach('ready');
    await assertSecret(parts);
    await parts.startKeeper(second);
    await parts.reachHolding(1, 2, 3);
  }
});

test('one Keeper of three is not enough, and neither is one with nothing in its memory', async () => {
  await using parts = await Parts.bootstrapped();
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGKILL');
  await parts.keeper(1).end('SIGKILL');
  await parts.keeper(2).end('SIGKILL');
  await parts.startKeeper(2);
  await parts.startNexus();
  const call = await parts.callNexus();
  await until('both were asked', async () => {
    const { keepers, warnings } = await call.status({ verify: false });
    return keepers.reachable === 2 && warnings.some((text) => text.startsWith('1 of the 2 Keepers'));
  });
  await assert.rejects(call.getSecret({ path, version: 0 }), { code: 'state_not_ready' });
  await assert.rejects((await parts.callKeeper(2)).fetchShare({}), { code: 'api_bad_request' });
});

test('a Keeper that lies neither keeps Nexus from its key nor gives it another', async () => {
  await using parts = await Parts.bootstrapped();
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  const truth = await (await parts.callKeeper(1)).fetchShare({});
  await parts.nexus.end('SIGKILL');
  const asked = { shares: 0 };
  await using liar = await openLiar(parts, truth, asked);
  const [, second = '', third = ''] = parts.keeperUrls();
  const peers = { SPIKE_NEXUS_KEEPER_PEERS: [liar.url, second, third].join(',') };

  // With one honest Keeper the key cannot be made, and a wrong one is not taken for it.
  await parts.keeper(3).end('SIGKILL');
  await parts.startNexus(peers);
  await until('the liar was heard twice', () => asked.shares >= 2);
  assert.equal(await parts.nexus.state(), 'locked');
  await assert.rejects((await parts.callNexus()).getSecret({ path, version: 0 }), {
    code: 'state_not_ready',
  });
  await parts.nexus.end('SIGKILL');

  // Back with the honest first, which gives the third its share; then the liar is one of three again.
  await parts.startKeeper(3);
  await parts.startNexus();
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus(peers);
  await parts.nexus.reach('ready');
  await assertSecret(parts);
  await (await parts.callNexus()).putSecret({ path, values: toValueMap({ pass: 'correct horse', n: '2' }) });
  const { verify } = await (await parts.callNexus()).status({ verify: true });
  assert.equal(verify?.ok, true);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts);
});

type Share = Awaited<ReturnType<Awaited<ReturnType<Parts['callKeeper']>>['fetchShare']>>;

/** Says of itself what the true Keeper would, and answers another share. */
async function openLiar(parts: Parts, truth: Share, asked: { shares: number }) {
  const { trustDomain } = parts.agent.authority;
  const lie = Uint8Array.from(truth.shard);
  lie[31] = (lie[31] ?? 0) ^ 1;
  const slot = { held: true, instance: truth.instance, generation: truth.generation, id: 1 };
  return await listen(
    {
      component: 'keeper',
      instance: () => '',
      table: keeperTable,
      handlers: {
        contributeShare: () => Promise.resolve({}),
        fetchShare: () => {
          asked.shares += 1;
          return Promise.resolve({ ...truth, shard: Uint8Array.from(lie) });
        },
        keeperStatus: () =>
          Promise.resolve({ active: { ...slot, digest: 'ab'.repeat(32) }, pending: { held: false } }),
      },
      roles: RoleBook.ofOne(trustDomain),
      policies: noPolicies,
      gate: openGate,
      audit: { append: () => Promise.resolve(), appendUnready: () => Promise.resolve() },
      log: createLog({ component: 'liar', level: 'error', write: () => undefined }),
      source: await parts.identity(rolePaths.keeper),
      authorize: authorizeAny(),
      host: '127.0.0.1',
      port: 0,
    },
    new AbortController().signal,
  );
}

function shareOfAnotherKey(id: number): string {
  using rootKey = RootKey.generate();
  using share = Polynomial.random(rootKey, 2).share(id);
  return formatShare({ id, value: share.value.expose((value) => [...value]) });
}

/** Everything that ever held the root key, at once. */
async function killAll(system: System): Promise<void> {
  const pids = [...(await system.pidsOf('keeper')), ...(await system.pidsOf('nexus'))];
  assert.equal(pids.length, 4);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('others run in their place', async () => {
    const now = [...(await system.pidsOf('keeper')), ...(await system.pidsOf('nexus'))];
    return now.length === 4 && now.every((pid) => !pids.includes(pid));
  });
}

test('when Nexus and all Keepers die at once, the launcher brings the recovery shares', async () => {
  await using system = await System.start();
  await using superuser = await openCaller(system);
  await superuser.call.putSecret({ path, values });
  await killAll(system);
  await system.ready();
  const { data } = await superuser.call.getSecret({ path, version: 0 });
  assert.equal(data['pass'], 'correct horse');
  await until('the Keepers have their shares again', async () => {
    const { keepers } = await superuser.call.status({ verify: false });
    return keepers.list.every(({ holdsShare }) => holdsShare);
  });
});

test('without recovery files people restore by hand, and a share that is wrong or of another system is refused by name', async () => {
  await using system = await System.start({ args: ['--no-recovery-file'] });
  await system.mustSpike(['secret', 'put', path.text, 'pass=correct horse']);
  for (const role of ['recover', 'restore']) {
    await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', `/spike/pilot/role/${role}`]);
  }
  await system.mustSpike(['operator', 'recover']);
  const read = (directory: string, id: number) =>
    readFile(join(directory, `spike.recovery.${id}.txt`), 'utf8');
  const own = join(system.home.root, 'recover');
  const [first, third] = await Promise.all([read(own, 1), read(own, 3)]);

  await killAll(system);
  await until('the launcher asks for people', () =>
    /`spike operator restore`, once for each share/.test(system.output),
  );
  const early = await system.spike(['secret', 'get', path.text]);
  assert.equal(early.code, 5, early.stderr);
  assert.match(early.stderr, /not ready/);

  const restore = (input: string) => system.spike(['operator', 'restore'], { input });
  const wrong = first.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  const swapped = first.replace('spike:1:', 'spike:2:');
  for (const [share, id] of [
    [wrong, 1],
    [swapped, 2],
    [shareOfAnotherKey(2), 2],
  ] as const) {
    const refused = await restore(share);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, new RegExp(`share ${id} is not a recovery share of instance`));
    assert.ok(!refused.stderr.includes(share.slice('spike:1:'.length)));
  }
  assert.match((await restore(first)).stdout, /Shards remaining: +1/);
  assert.match((await restore(first)).stdout, /Shards remaining: +1/, 'the same share counts once');
  assert.match((await restore(third)).stdout, /restored and ready/);
  assert.equal(await system.mustSpike(['secret', 'get', path.text, 'pass']), 'correct horse\n');
});
