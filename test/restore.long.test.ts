import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SecretPath, toValueMap } from '@spike/contract';
import { openCaller } from './caller.ts';
import { killKeyHolders, shareOfAnotherKey } from './loss.ts';
import { System, until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ pass: 'correct horse' });

test('when Nexus and all Keepers die at once, the launcher brings the recovery shares', async () => {
  await using system = await System.start();
  await using superuser = await openCaller(system);
  await superuser.call.putSecret({ path, values });
  await killKeyHolders(system);
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

  await killKeyHolders(system);
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
