import assert from 'node:assert/strict';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGuarded } from './admin.ts';
import { asPassword, backupIn, Drill, secret } from './drill.ts';
import { instanceOf } from './reset.ts';
import { openScratch, until } from './system.ts';

/* What the runbook says of Keepers, Nexus, store and reset: the loss is real, the commands are those of the page, it is over. */

const alone = ['--no-recovery-file'];

test('lost Keepers: people bring their shares, and the system serves again', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  let password = '';
  {
    await using before = await startGuarded({ home });
    const drill = new Drill(before, 'lost-keepers');
    password = await drill.setUp();
    await drill.train('Lost Keepers');
  }
  await using system = await startGuarded({ home, args: alone });
  const drill = new Drill(system, 'lost-keepers');
  await drill.train('Lost Keepers is real');
  const looked = await drill.run('Look');
  assert.match(looked, /Root key: +not here/);
  const [first = '', third = ''] = await Promise.all(
    [1, 3].map(async (id) => (await readFile(drill.shareOf(id, 'holders'), 'utf8')).trim()),
  );
  await drill.run('Nexus has no key', { 'operator restore': [[/Enter recovery shard: /, first]] });
  const done = await drill.run('Nexus has no key', {
    'operator restore': [[/Enter recovery shard: /, third]],
  });
  assert.match(done, /restored and ready/);
  await drill.run('How to see that it worked', { login: asPassword(password) });
  assert.equal(await drill.train('Lost Keepers is over'), secret);
});

test('lost Keepers: while Nexus has its key, those that come back get their shares', async () => {
  await using system = await startGuarded({ args: alone });
  const drill = new Drill(system, 'lost-keepers');
  const password = await drill.setUp();
  // A launcher that stands still starts no Keeper again.
  process.kill(system.pid, 'SIGSTOP');
  const keepers = await system.pidsOf('keeper');
  for (const pid of keepers.slice(0, 2)) process.kill(pid, 'SIGKILL');
  await until('status says so', async () => (await system.spike(['status'])).code === 1);
  const looked = await drill.run('Look');
  assert.match(looked, /Root key: +present[^]*Problem/);
  assert.equal(await drill.train('Lost Keepers is over'), secret, 'it serves all the same');
  process.kill(system.pid, 'SIGCONT');
  await until('they have their shares', async () => (await system.spike(['status'])).code === 0);
  await drill.run('How to see that it worked', { login: asPassword(password) });
});

test('lost Nexus: its process is started again, and later its disk is brought to another machine', async () => {
  await using scratch = await openScratch();
  const [home, elsewhere] = [join(scratch.path, 'home'), join(scratch.path, 'elsewhere')];
  let password = '';
  {
    await using system = await startGuarded({ home });
    const drill = new Drill(system, 'lost-nexus');
    password = await drill.setUp();
    process.kill(system.pid, 'SIGSTOP');
    const [pid = 0] = await system.pidsOf('nexus');
    process.kill(pid, 'SIGKILL');
    await drill.train('Lost Nexus');
    await drill.run('Look');
    process.kill(system.pid, 'SIGCONT');
    await system.ready();
    const seen = await drill.run('How to see that it worked', { login: asPassword(password) });
    assert.match(seen, /unlocked/);
    assert.equal(await drill.train('Lost Nexus is over'), secret);
    await system.kill();
    await drill.train('Lost Nexus');
  }
  await rename(home, elsewhere);
  await using moved = await startGuarded({ home: elsewhere });
  const drill = new Drill(moved, 'lost-nexus');
  const seen = await drill.run('How to see that it worked', { login: asPassword(password) });
  assert.match(seen, /restored/);
  assert.equal(await drill.train('Lost Nexus is over'), secret);
});

test('lost store: a new system, its backup, its identity and recovery shares bring everything back', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  const variables = backupIn(scratch.path);
  {
    await using before = await startGuarded({ home });
    const drill = new Drill(before, 'lost-store', variables);
    await drill.setUp();
    await drill.train('Lost store');
    await before.stop();
    await drill.train('Cause the loss of the store');
  }
  await using system = await startGuarded({ home });
  const drill = new Drill(system, 'lost-store', variables);
  await drill.train('Lost store is real');
  giveShares(drill, 'recovery');
  assert.match(await drill.run('Look'), /store/);
  await system.stop();
  await drill.run('Move away what is left');
  giveShares(drill, 'recovery.lost');
  await using anew = await startGuarded({ home });
  drill.system = anew;
  const restored = await drill.beginAnew('Begin anew');
  assert.match(restored.shown, /Bring these back\?/);
  await drill.run('How to see that it worked', { login: asPassword(restored.password) });
  assert.equal(await drill.train('Lost store is over'), secret);
});

test('factory reset: with a backup everything comes back', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  const variables = backupIn(scratch.path);
  await using before = await startGuarded({ home });
  const drill = new Drill(before, 'factory-reset', variables);
  await drill.setUp();
  await before.mustSpike(['backup', 'key', variables['IDENTITY'] ?? '']);
  await before.mustSpike(['authority', 'entry', 'create', '--spiffe-id', '/spike/pilot/role/recover']);
  const instance = await instanceOf(before);
  drill.variables['INSTANCE'] = instance;
  assert.match(await drill.run('Before'), /1 secrets in 1 versions/);
  await drill.run('Ask for the script');
  for (const id of [1, 3]) {
    drill.variables['SHARE'] = drill.shareOf(id);
    await drill.run('Holders approve', { '--share-file': [[/Do you approve this\?/, 'y']] });
  }
  await drill.run('Print');
  assert.match(await drill.run('Check it, and try it'), /Dry run passed/);
  const early = await drill.run('Run', { 'sh ': [] }).catch((error: unknown) => error);
  assert.match(String(early), /Nexus still runs/);
  await before.stop();
  assert.match(
    await drill.run('Run', { 'sh ': [[/type the id of the instance/, instance]] }),
    /What comes next/,
  );

  await using anew = await startGuarded({ home });
  drill.system = anew;
  const { password } = await drill.beginAnew('Begin anew');
  assert.equal((await anew.spike(['secret', 'get', 'training/db'])).code, 3, 'it is lost');
  const kept = (await readdir(home)).find((name) => name.startsWith('recovery.reset-')) ?? '';
  giveShares(drill, kept);
  await drill.run('Bring the backup back', { 'backup restore': [[/Bring these back\?/, 'y']] });
  const seen = await drill.run('How to see that it worked', { login: asPassword(password) });
  assert.match(seen, /\tdone\t/);
  assert.ok(!seen.includes(`Instance:     ${instance}`));
  assert.equal(await drill.train('Lost store is over'), secret);
});

test('factory reset: without a backup the loss is accepted in words, and nothing comes back', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  await using before = await startGuarded({ home });
  const drill = new Drill(before, 'factory-reset');
  await drill.setUp();
  const instance = await instanceOf(before);
  for (const section of ['Before', 'Without a backup', 'Check it, and try it']) await drill.run(section);
  await before.stop();
  const loss = `all secrets of ${instance} may be lost`;
  await drill.run('Run', {
    'sh ': [
      [/may be lost/, loss],
      [/id/, instance],
    ],
  });
  await using anew = await startGuarded({ home });
  drill.system = anew;
  await drill.beginAnew('Begin anew');
  assert.equal((await anew.spike(['secret', 'get', 'training/db'])).code, 3, 'it is lost');
});

/** Of the instance that was; a threshold of them. */
function giveShares(drill: Drill, folder: string): void {
  for (const [index, id] of [1, 3].entries())
    drill.variables[`SHARE_${index + 1}`] = drill.shareOf(id, folder);
}
