import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { authorityOf, openCaller, openWorkload } from './caller.ts';
import { Parts } from './parts.ts';
import { System, until } from './system.ts';

/* The identity of everybody but Nexus, taken away and given back. */

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ pass: 'correct horse' });

test('Keepers without their identity answer nobody, keep their shares, and bring Nexus back when it is there again', async () => {
  await using parts = await Parts.bootstrapped();
  const all = parts.agent.issue([...Object.values(rolePaths), '/workload/app']);
  parts.agent.say(all);
  await (await parts.callNexus()).putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  const keeper = await parts.callKeeper(1);
  const before = await keeper.fetchShare({});
  const pids = [1, 2, 3].map((id) => parts.keeper(id).pid);

  parts.agent.say({ ...all, svids: all.svids.filter(({ id }) => id.path !== rolePaths.keeper) });
  await until('the Keeper answers nobody', () =>
    keeper.fetchShare({}).then(
      () => false,
      () => true,
    ),
  );
  for (const id of [1, 2, 3])
    for (const role of [rolePaths.nexus, rolePaths.bootstrap])
      await assert.rejects((await parts.callKeeper(id, role)).fetchShare({}));
  const nexus = await parts.callNexus();
  await until('Nexus sees no Keeper', async () => {
    const { keepers } = await nexus.status({ verify: false });
    return keepers.reachable === 0;
  });
  assert.equal((await nexus.getSecret({ path, version: 0 })).data['pass'], 'correct horse');

  // With nobody there who could give them their shares again.
  await parts.nexus.end('SIGKILL');
  assert.ok([1, 2, 3].every((id) => parts.keeper(id).running));
  parts.agent.say(all);
  const after = await until('the Keeper answers again', () => keeper.fetchShare({}).catch(() => undefined));
  assert.deepEqual(after.shard, before.shard, 'the same share');
  assert.deepEqual(
    [1, 2, 3].map((id) => parts.keeper(id).pid),
    pids,
    'in the same processes',
  );
  await parts.startNexus();
  await parts.nexus.reach('ready');
  const { data } = await (await parts.callNexus()).getSecret({ path, version: 0 });
  assert.equal(data['pass'], 'correct horse');
});

test('a workload whose entry is removed in the middle of its requests uses its SVID no more, and goes on when it is back', async () => {
  await using system = await System.start();
  await using superuser = await openCaller(system);
  await superuser.call.putPolicy({
    name: 'gone',
    spiffeidPattern: '^spiffe://spike\\.ist/workload/gone$',
    pathPattern: 'gone/.*',
    permissions: ['read', 'write'],
  });
  await using workload = await openWorkload(system, '/workload/gone', { retry: false });
  await using patient = await openWorkload(system, '/workload/gone', { deadlineMs: 60_000 });
  await workload.put('gone/db', { pass: 'correct horse' });
  await patient.get('gone/db');
  const authority = authorityOf(system);
  const id = 'spiffe://spike.ist/workload/gone';

  for (let round = 0; round < 3; round++) {
    // Requests all the while, several at once: none is served once one was told.
    let isTold = false;
    const codes = new Set<unknown>();
    const knock = async (_: undefined, index: number): Promise<void> => {
      while (!isTold) {
        try {
          // What may be done twice is asked for once more by itself, the other is not.
          if (index % 2 === 0) await workload.get('gone/db');
          else await workload.put(`gone/busy/${index}`, { n: '1' });
        } catch (error) {
          codes.add(Reflect.get(Object(error), 'code'));
          isTold = true;
        }
      }
    };
    const knocking = Promise.all(Array.from({ length: 4 }, () => undefined).map(knock));
    for (const entry of await authority.listEntries())
      if (entry.spiffeId === id) await authority.deleteEntry(entry.id);
    await until('the workload is told', () => isTold);
    await knocking;
    assert.deepEqual([...codes], ['identity_withdrawn']);
    for (let again = 0; again < 20; again++)
      await assert.rejects(workload.get('gone/db'), { code: 'identity_withdrawn' });
    await assert.rejects(workload.put('gone/db', { pass: 'no' }), { code: 'identity_withdrawn' });
    const waiting = patient.get('gone/db');
    await authority.createEntry({ spiffeId: id, selectors: [`pid:${process.pid}`] });
    assert.equal((await waiting).field('pass').expose(), 'correct horse', 'it waited, and nobody helped it');
    await until('the other is back', () => workload.get('gone/db').catch(() => undefined));
  }
  assert.equal((await workload.get('gone/db')).version, 1, 'nothing was written without an identity');
});

test('without its entry the Pilot says whose entry is missing, and with it the next command works', async () => {
  await using system = await System.start();
  const authority = authorityOf(system);
  const [own] = (await authority.listEntries()).filter(({ spiffeId }) =>
    spiffeId.endsWith(rolePaths.superuser),
  );
  assert.ok(own !== undefined);
  await authority.deleteEntry(own.id);
  const refused = await system.spike(['secret', 'list']);
  assert.equal(refused.code, 4, refused.stderr);
  assert.match(refused.stderr, /no identity for superuser; create one: spike authority entry create/);
  await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', rolePaths.superuser]);
  await system.mustSpike(['secret', 'list']);
});
