import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { readAudit } from './audit.ts';
import { authorityOf, openCaller } from './caller.ts';
import { Parts } from './parts.ts';
import { System, until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ pass: 'correct horse' });
const parts = ['authority', 'keeper', 'nexus'] as const;
/** The issue's own bound. */
const orphanMs = 2_000;
/** The gate closes in the turn in which Nexus hears of it; this is for the way there on a busy machine. */
const refuseMs = 2_000;

async function pidsOfAll(system: System): Promise<readonly number[]> {
  return (await Promise.all(parts.map((part) => system.pidsOf(part)))).flat();
}

test('SIGTERM to the whole group is a clean stop: the store is closed and everything is there again', async () => {
  await using system = await System.start();
  {
    await using superuser = await openCaller(system);
    await superuser.call.putSecret({ path, values });
  }
  await system.stop();
  assert.equal(system.exitCode, 0);
  assert.deepEqual(await pidsOfAll(system), []);
  assert.deepEqual(system.warnings, []);
  const files = await readdir(join(system.home.nexus, 'data'), { recursive: true });
  assert.deepEqual(
    files.filter((name) => /-(wal|shm|journal)$/.test(name)),
    [],
    'a store that was closed has no journal',
  );
  const lines = await readAudit(system.home);
  assert.ok(lines.some(({ action, outcome }) => action === 'secret.put' && outcome === 'ok'));

  await using again = await System.start({ home: system.home.root });
  assert.equal(await again.mustSpike(['secret', 'get', path.text, 'pass']), 'correct horse\n');
});

test('when the launcher is killed its children end within two seconds, and lose nothing', async () => {
  await using system = await System.start();
  await using superuser = await openCaller(system);
  await superuser.call.putSecret({ path, values });
  assert.equal((await pidsOfAll(system)).length, 5);
  process.kill(system.pid, 'SIGKILL');
  await until('all are gone', async () => (await pidsOfAll(system)).length === 0, orphanMs);

  await using again = await System.start({ home: system.home.root });
  assert.equal(await again.mustSpike(['secret', 'get', path.text, 'pass']), 'correct horse\n');
});

test('each part that is killed is started again, and the system serves on', async () => {
  await using system = await System.start();
  await using superuser = await openCaller(system);
  await superuser.call.putSecret({ path, values });
  for (const part of parts) {
    const before = await system.pidsOf(part);
    const [victim] = before;
    assert(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    await until(`another ${part} runs`, async () => {
      const now = await system.pidsOf(part);
      return now.length === before.length && !now.includes(victim);
    });
    await system.ready();
    assert.equal((await superuser.call.getSecret({ path, version: 0 })).data['pass'], 'correct horse');
  }
  await system.stop();
  assert.equal(system.exitCode, 0);
});

test('when the entry of Nexus is deleted it refuses everything at once, in the same process with fresh memory', async () => {
  await using system = await System.start();
  {
    await using superuser = await openCaller(system, rolePaths.superuser, { retry: false });
    await superuser.call.putSecret({ path, values });
    const [pid] = await system.pidsOf('nexus');
    const entries = await authorityOf(system).listEntries();
    const entry = entries.find(({ spiffeId }) => spiffeId.endsWith(rolePaths.nexus));
    assert(entry !== undefined);
    await authorityOf(system).deleteEntry(entry.id);
    const refused = (): Promise<boolean> =>
      superuser.call.getSecret({ path, version: 0 }).then(
        () => false,
        () => true,
      );
    await until('requests fail', refused, refuseMs);
    await until('nobody listens', () =>
      superuser.call.status({ verify: false }).then(
        () => false,
        () => true,
      ),
    );
    assert.deepEqual(await system.pidsOf('nexus'), [pid], 'the same process');
  }
  await system.stop();
  await using again = await System.start({ home: system.home.root });
  assert.equal(await again.mustSpike(['secret', 'get', path.text, 'pass']), 'correct horse\n');
});

test('a Nexus whose identity was taken away comes back by itself when it is given again', async () => {
  await using parts = await Parts.bootstrapped();
  const all = parts.agent.issue(Object.values(rolePaths));
  const call = await parts.callNexus();
  await call.putSecret({ path, values });
  await parts.reachHolding(1, 2, 3);
  const before = await call.status({ verify: false });
  const withoutNexus = all.svids.filter(({ id }) => id.path !== rolePaths.nexus);

  parts.agent.say({ svids: withoutNexus, bundles: all.bundles });
  const refused = (): Promise<boolean> =>
    call.getSecret({ path, version: 0 }).then(
      () => false,
      () => true,
    );
  await until('it refuses', refused, refuseMs);
  await until('a fresh image waits for its identity', async () => (await parts.nexus.state()) === 'starting');
  await assert.rejects(call.getSecret({ path, version: 0 }));

  parts.agent.say(all);
  await until('it serves again', async () =>
    call.getSecret({ path, version: 0 }).then(
      ({ data }) => data['pass'] === 'correct horse',
      () => false,
    ),
  );
  const after = await call.status({ verify: false });
  assert.ok(parts.nexus.running, 'the same process');
  assert.notEqual(after.startedAt, before.startedAt, 'with nothing of its old memory');
});
