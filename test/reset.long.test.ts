import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths, SecretPath } from '@spike/contract';
import { readShareFiles } from '@spike/recovery';
import { runScript, takePicture } from '@spike/reset/testing';
import { initialize, startGuarded } from './admin.ts';
import { readAudit } from './audit.ts';
import { makeKey } from './backup.ts';
import { openCaller } from './caller.ts';
import { answerOf, approvalOf } from './emergency.ts';
import { Parts } from './parts.ts';
import { instanceOf, PrintedReset } from './reset.ts';
import { openScratch, repository, runProgram, System } from './system.ts';

const command = join(repository, 'bin', 'spike.mjs');
const shells = ['dash', 'bash'] as const;
const path = SecretPath.parse('tenants/acme/db');

/** The data, and nothing that the kernel or SQLite make anew for a reader. */
const takeData = (parts: Parts) =>
  takePicture(join(parts.home, 'home', 'nexus', 'data'), (name) => /^store\.(lock|sqlite-shm)$/.test(name));

async function printFor(parts: Parts, directory: string): Promise<PrintedReset> {
  const call = await parts.callNexus();
  const { instance = '' } = await call.status({ verify: false });
  const { script } = await call.printReset({ instance });
  return await PrintedReset.save(script, instance, directory);
}

async function stopAll(parts: Parts, signal: NodeJS.Signals): Promise<void> {
  await parts.nexus.end(signal);
  for (const id of [1, 2, 3]) await parts.keeper(id).end(signal);
}

for (const shell of shells) {
  test(`in ${shell} every part that runs keeps the data where they are, and after a crash they are reset all the same`, async () => {
    await using scratch = await openScratch();
    await using parts = await Parts.bootstrapped();
    const call = await parts.callNexus();
    await call.putSecret({ path, values: { pass: 'correct horse' } });
    const workload = await parts.callNexus('/workload/app');
    await assert.rejects(workload.explainReset({}), { code: 'access_unauthorized' });
    const printed = await printFor(parts, scratch.path);

    // A Keeper alone: Nexus is killed, so that much of its store is in the journal.
    await parts.nexus.end('SIGKILL');
    const data = await takeData(parts);
    const keepers = await printed.run({ shell });
    assert.equal(keepers.code, 1, keepers.output);
    assert.match(keepers.output, /Keeper 1 still runs/);
    assert.doesNotMatch(keepers.output, /Nexus still runs/);
    assert.deepEqual(await takeData(parts), data);

    // Nexus alone, at another address than the script knows.
    for (const id of [1, 2, 3]) await parts.keeper(id).end('SIGTERM');
    await parts.startNexus();
    const nexus = await printed.run({ shell });
    assert.equal(nexus.code, 1, nexus.output);
    assert.match(nexus.output, /A Nexus holds the store/);
    await stopAll(parts, 'SIGKILL');

    const output = await printed.mustRun({ shell });
    assert.match(output, /is gone/);
    await parts.startKeepers();
    await parts.startNexus();
    await parts.nexus.reach('empty');
    const { code, stderr } = await parts.bootstrap();
    assert.equal(code, 0, stderr);
    await parts.nexus.reach('ready');
    const anew = await parts.callNexus();
    const status = await anew.status({ verify: true });
    assert.notEqual(status.instance, printed.instance);
    assert.equal(status.verify?.ok, true);
    await assert.rejects(anew.getSecret({ path, version: 0 }), { code: 'api_not_found' });
  });
}

test('a script is for the data of its own instance, wherever they are put', async () => {
  await using scratch = await openScratch();
  await using first = await Parts.bootstrapped();
  await using second = await Parts.bootstrapped();
  const printed = await printFor(first, scratch.path);
  await stopAll(first, 'SIGTERM');
  await stopAll(second, 'SIGTERM');
  const place = join(first.home, 'home', 'nexus', 'data');
  const other = join(second.home, 'home', 'nexus', 'data');
  await rename(place, `${place}.kept`);
  await rename(other, place);
  const data = await takeData(first);
  const run = await printed.run();
  assert.equal(run.code, 1, run.output);
  assert.match(run.output, new RegExp(`are of instance .*, this script is for ${printed.instance}`));
  assert.deepEqual(await takeData(first), data);
  await rename(place, other);
  await rename(`${place}.kept`, place);
  await printed.mustRun();
});

test('Keepers that were not stopped hold the old instance, and say what has to be done', async () => {
  await using scratch = await openScratch();
  await using parts = await Parts.bootstrapped();
  const printed = await printFor(parts, scratch.path);
  await stopAll(parts, 'SIGTERM');
  await printed.mustRun();
  // As where a Keeper was started again with a memory that was saved: it gets its old share back.
  await parts.startKeepers();
  const keeper = await parts.callKeeper(1);
  const shard = Buffer.alloc(32, 7);
  await keeper.contributeShare({ shard, instance: printed.instance, generation: 1, id: 1, slot: 'active' });
  await parts.startNexus();
  assert.notEqual((await parts.bootstrap()).code, 0);
  await parts.keeper(1).end('SIGTERM');
  await parts.startKeeper(1);
  await parts.nexus.end('SIGTERM');
  await parts.startNexus();
  assert.equal((await parts.bootstrap()).code, 0);
  await parts.nexus.reach('ready');
});

test('a store in memory has nothing to reset', async () => {
  await using parts = await Parts.open();
  await parts.startKeepers();
  await parts.startNexus({ SPIKE_NEXUS_BACKEND_STORE: 'memory' });
  await parts.nexus.reach('ready');
  const call = await parts.callNexus();
  await assert.rejects(call.explainReset({}), { code: 'api_bad_request', message: /nothing to reset/ });
  const { instance = '' } = await call.status({ verify: false });
  await assert.rejects(call.printReset({ instance }), { code: 'api_bad_request' });
});

test('a dry run is told of, the signature is checked with SPIKE and without, and an old script does nothing to a new instance', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  await using first = await System.start({ home });
  const printed = await PrintedReset.print(first, scratch.path);
  const verified = await first.mustSpike(['reset', 'verify', printed.path]);
  assert.match(verified, new RegExp(`unchanged, for instance ${printed.instance}`));
  // At a terminal a person says which instance is meant.
  const atTerminal = (typed: string) =>
    runScript(command, {
      shell: process.execPath,
      args: ['reset', '--force'],
      answers: [typed],
      env: { ...process.env, SPIKE_HOME: home },
    });
  const wrong = await atTerminal('9344cd9b-1ab1-4a1e-b491-145441184461');
  assert.equal(wrong.code, 2, wrong.output);
  assert.doesNotMatch(wrong.output, /#!\/bin\/sh/);
  const right = await atTerminal(printed.instance);
  assert.equal(right.code, 0, right.output);
  assert.match(right.output, /#!\/bin\/sh/);
  const pinned = join(scratch.path, 'reset.pem');
  await writeFile(pinned, await first.mustSpike(['reset', 'key']));
  // The last one was long ago.
  const at = new Date(Date.now() - 91 * 86_400_000).toISOString();
  const steps = [at, '20260101000000-00000000', printed.instance, 'ann', 'host', 'dry-run-passed', ''];
  await appendFile(join(home, 'nexus', 'reset.journal'), `${steps.join('\t')}\n`);
  const due = await first.mustSpike(['status']);
  assert.match(due, /^Reset: +rehearsed 91 days ago/m);
  assert.match(due, /the factory reset was not rehearsed for 91 days; run `spike reset --dry-run`/);
  const data = await takePicture(join(home, 'nexus', 'data'), (name) => name !== 'store.sqlite');
  assert.match(await printed.mustRun({ args: ['--dry-run'], terminal: false }), /Dry run passed/);
  assert.deepEqual(await takePicture(join(home, 'nexus', 'data'), (name) => name !== 'store.sqlite'), data);
  assert.match(await first.mustSpike(['reset', '--dry-run']), /Dry run passed/);
  const rehearsed = await first.mustSpike(['status']);
  assert.match(rehearsed, /^Reset: +rehearsed (less than a minute|\d min) ago/m);
  assert.doesNotMatch(rehearsed, /not rehearsed/);
  assert.equal((await first.spike(['reset', '--dry-run', '--force'])).code, 2);
  const explained = await first.spike(['reset', '-f', 'json']);
  assert.ok('lastDryRun' in (JSON.parse(explained.stdout) as object), explained.stdout);
  await first.stop();

  const verify = (file: string) =>
    runProgram(process.execPath, [command, 'reset', 'verify', file, '--key', pinned]);
  assert.equal((await verify(printed.path)).code, 0);
  const changed = join(scratch.path, 'changed.sh');
  await writeFile(changed, printed.text.replace('umask 077', 'umask 000'));
  assert.equal((await verify(changed)).code, 2);

  await printed.mustRun();
  const nexus = await readdir(join(home, 'nexus'));
  for (const name of ['data', 'anchor.json', 'audit']) assert.ok(!nexus.includes(name), nexus.join());
  await using second = await System.start({ home });
  await second.ready();
  await second.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=anew']);
  assert.notEqual(await instanceOf(second), printed.instance);
  await second.stop();
  const before = await takePicture(join(home, 'nexus'), (name) => name === 'reset.journal');
  const again = await printed.run();
  assert.equal(again.code, 1, again.output);
  assert.match(again.output, /are of instance/);
  assert.deepEqual(await takePicture(join(home, 'nexus'), (name) => name === 'reset.journal'), before);
  const journal = await readFile(join(home, 'nexus', 'reset.journal'), 'utf8');
  for (const step of ['printed', 'dry-run-passed', 'removed', 'done', 'refused'])
    assert.match(journal, new RegExp(`\\t${step}\\t`));
});

test('with two layers an administrator prints it, and after the reset init works again and nobody of before is known', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  await using first = await startGuarded({ home });
  const password = await initialize(first);
  await first.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=correct horse']);
  await first.mustSpike(['logout']);
  for (const args of [['reset'], ['reset', '--force'], ['reset', 'key']]) {
    const refused = await first.spike(args);
    assert.equal(refused.code, 8, refused.stderr);
    assert.equal(refused.stdout, '');
  }
  const login = (...flags: readonly string[]) =>
    first.mustSpike(['login', '--password-stdin', ...flags], { input: password });
  await login('--scope', 'read-only');
  assert.match((await first.spike(['reset'])).stdout, /1 administrators/);
  assert.equal(
    (await first.spike(['reset', '--force'])).code,
    4,
    'a token that may only read prints nothing',
  );
  await login();
  const printed = await PrintedReset.print(first, scratch.path);
  await first.stop();
  const lines = await readAudit(first.home);
  const named = lines.filter(({ action }) => String(action).startsWith('reset.'));
  assert.ok(named.some(({ action, outcome }) => action === 'reset.print' && outcome === 'denied'));
  assert.ok(named.some(({ action, outcome }) => action === 'reset.print' && outcome === 'ok'));
  await printed.mustRun();

  await using second = await startGuarded({ home });
  const early = await second.spike(['secret', 'get', 'tenants/acme/db']);
  assert.equal(early.code, 10, early.stderr);
  await initialize(second);
  assert.equal((await second.spike(['secret', 'get', 'tenants/acme/db'])).code, 3);
  await second.mustSpike(['status', '--verify']);
  const old = await second.spike(['login', '--password-stdin'], { input: password });
  assert.equal(old.code, 4, old.stderr);
});

test('with a backup the script wants the file that was opened, once the holders of recovery shares have approved', async () => {
  await using scratch = await openScratch();
  await using system = await System.start();
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=kept']);
  const { key, backup } = await makeKey(system, scratch.path);
  const print = ['reset', '--force', '--backup', backup];
  assert.match((await system.spike(print)).stderr, /--identity/);
  const asked = await system.spike([...print, '--identity', key]);
  assert.equal(asked.code, 11, asked.stderr);
  const id = approvalOf(asked.stderr);
  const sealed = await readFile(backup);
  {
    await using holder = await openCaller(system, rolePaths.recover);
    for (const share of (await readShareFiles(system.home.recovery)).slice(1))
      await holder.call.answerApproval({ id, share: share.id, answer: await answerOf(holder, id, share) });
  }
  const other = join(scratch.path, 'other.key');
  await system.mustSpike(['backup', 'key', other]);
  assert.notEqual((await system.spike([...print, '--identity', other])).code, 0, 'it has to open');
  const script = await system.mustSpike([...print, '--identity', key]);
  assert.deepEqual(await readFile(backup), sealed, 'the one that is there does');
  const digest = createHash('sha256').update(sealed).digest('hex');
  assert.ok(
    script.includes(`\nbackup='${backup}'\nbackup_size='${sealed.length}'\nbackup_sha256='${digest}'\n`),
  );
  await writeFile(backup, sealed.subarray(0, -1));
  assert.notEqual((await system.spike([...print, '--identity', key])).code, 0, 'and to be whole');
});
