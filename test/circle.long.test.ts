import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths } from '@spike/contract';
import { runScript } from '@spike/reset/testing';
import { initialize, newPassword, startGuarded, withFile } from './admin.ts';
import { readAudit } from './audit.ts';
import { approvalOf, parse, settle } from './emergency.ts';
import { instanceOf } from './reset.ts';
import { openScratch, type System } from './system.ts';

/*
 * The whole circle, from the outside: a system with two layers is filled, backed up, reset and begun anew, and comes back
 * with nothing but the file of the backup, its age identity and recovery shares.
 */

const binary = Buffer.from([0, 255, 13, 10, 27, 128, 0]);
const message = 'a letter that is kept elsewhere';
const script = 'reset.sh';
/** The only recovery shares are those that people keep. */
const args = ['--no-recovery-file'];

interface Kept {
  /** Outlives the system, as what is kept by people does. */
  readonly directory: string;
  readonly file: string;
  readonly identity: string;
  readonly shares: readonly string[];
}

test('init, fill, back up, reset, init and restore: everything is as it was', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  const directory = join(scratch.path, 'kept');
  await mkdir(directory, { mode: 0o700 });
  const bens = newPassword();
  const taras = newPassword();
  let before: unknown;
  let letter = '';
  let kept: Kept;
  let instance: string;
  {
    await using first = await startGuarded({ home, args });
    const password = await initialize(first);
    instance = await instanceOf(first);
    letter = await fill(first, bens, taras);
    kept = await keep(first, directory);
    await first.mustSpike(['status', '--verify']);
    before = await describe(first, letter);
    const printed = await printReset(first, kept);
    await writeFile(join(directory, script), printed, { mode: 0o600 });
    assert.match(await first.mustSpike(['audit', 'verify']), /The audit is whole/);
    assert.match(await first.mustSpike(['reset', '--dry-run']), /Dry run passed/);
    const status = await first.mustSpike(['status']);
    assert.match(status, /^Backup: +verified .* ago \(20/m);
    assert.match(status, /^Reset: +rehearsed .* ago \(20/m);
    await first.stop();
    for (const secret of [password, bens, taras, message])
      assert.ok(!printed.includes(secret) && !first.output.includes(secret));
  }

  await runReset(join(directory, script), instance);
  assert.deepEqual(await leftOf(home), [], 'factory-new: no data, no anchor, no audit, no init code');

  await using second = await startGuarded({ home, args });
  await second.ready();
  const anew = parse<Status>((await second.spike(['status', '-f', 'json'])).stdout).nexus;
  assert.equal(anew.administration.initialized, false);
  assert.equal((await second.spike(['secret', 'list'])).code, 10, 'it says to run init');
  const mine = await initialize(second);
  assert.notEqual(await instanceOf(second), instance);
  assert.deepEqual(await keysOf(second), []);
  assert.equal((await login(second, 'ben', bens)).code, 4, 'nobody of before is known');

  const [log, early, key] = ['log', 'early', 'key'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(key, await second.mustSpike(['audit', 'key']));
  await second.mustSpike(['audit', 'checkpoint', '--out', early]);
  await restore(second, kept);
  assert.equal((await second.spike(['secret', 'list'])).code, 8, 'all sessions have ended');
  await second.mustSpike(['login', '--password-stdin'], { input: mine });
  assert.deepEqual(await describe(second, letter), before);
  const { code, stdout } = await login(second, 'ben', bens);
  assert.equal(code, 0);
  const ben = { SPIKE_TOKEN: stdout.trim() };
  assert.equal(await second.mustSpike(['secret', 'get', 'team/db', 'pass'], { env: ben }), 'second\n');
  const tara = { SPIKE_TOKEN: (await login(second, 'tara', taras)).stdout.trim() };
  assert.equal((await second.spike(['secret', 'get', 'team/db'], { env: tara })).code, 4);
  assert.match(await second.mustSpike(['secret', 'get', 'tenants/acme/web'], { env: tara }), /token: xyz/);

  assert.match(await second.mustSpike(['audit', 'verify']), /The audit is whole/);
  const verified = parse<Status>(await second.mustSpike(['status', '--verify', '-f', 'json'])).nexus;
  assert.deepEqual([verified.well, verified.verify?.ok], [true, true]);
  assert.notEqual(verified.instance, instance);
  // It is the same log before and behind the restore: a witness of before needs nothing else.
  await second.mustSpike(['audit', 'export', '--out', log]);
  const checkpoints = ['--checkpoint', early, '--checkpoint', `${log}.checkpoint`];
  assert.match(await second.mustSpike(['audit', 'verify', log, '--key', key, ...checkpoints]), /whole/);
  await second.stop();
  const restored = (await readAudit(second.home)).find(({ action }) => action === 'backup.restore');
  assert.match(restored?.subject ?? '', new RegExp(`^${instance} [0-9a-f]{64}$`, 'u'));
  const actions = (await readAudit(second.home)).map(({ action }) => action);
  for (const action of ['init', 'backup.restore.begin', 'backup.restore', 'login'])
    assert.ok(actions.includes(action), `${action} in ${[...new Set(actions)].join(' ')}`);
});

interface Status {
  readonly nexus: {
    readonly well: boolean;
    readonly instance: string;
    readonly administration: { readonly initialized?: boolean };
    readonly verify?: { readonly ok: boolean };
  };
}

/** Secrets of every kind, policies (of a tenant, too) and administrators; answers an envelope that Nexus does not keep. */
async function fill(system: System, bens: string, taras: string): Promise<string> {
  const put = (...args: readonly string[]) => system.mustSpike(['secret', 'put', ...args]);
  await put('team/db', 'user=app', 'pass=first');
  await put('team/db', 'user=app', 'pass=second');
  await put('team/old', 'key=1');
  await put('team/old', 'key=2');
  await put('tenants/acme/web', 'token=xyz');
  await using scratch = await openScratch();
  const file = join(scratch.path, 'binary');
  await writeFile(file, binary);
  await put('team/binary', `blob=@${file}`);
  await system.mustSpike(['secret', 'delete', 'team/db', '--versions', '1', '--yes']);
  await system.mustSpike(['secret', 'delete', 'team/old', '--yes']);
  const noted = ['--owner', 'ann', '--label', 'tier=gold', '--max-versions', '7'];
  await system.mustSpike(['secret', 'metadata', 'set', 'team/db', ...noted, '--description', 'of the shop']);
  await policy(system, 'shop', '^team/.*', {});
  await settle(system, 'ben', 'super_admin', bens);
  const made = [
    'admin',
    'create',
    'tara',
    '--role',
    'tenant_admin',
    '--tenant',
    'tenants/acme',
    '-f',
    'json',
  ];
  const { oneTimePassword } = parse<{ oneTimePassword: string }>(await system.mustSpike(made));
  const token = await withFile(taras, (path) =>
    system.mustSpike(
      ['login', '--user', 'tara', '--password-stdin', '--print-token', '--new-password-file', path],
      { input: oneTimePassword },
    ),
  );
  await policy(system, 'web', '^tenants/acme/.*', { SPIKE_TOKEN: token.trim() });
  await system.mustSpike(['admin', 'create', 'cem', '--role', 'auditor']);
  await system.mustSpike(['admin', 'disable', 'cem']);
  return await system.mustSpike(['cipher', 'encrypt', '--format', 'json'], { input: message });
}

async function policy(
  system: System,
  name: string,
  paths: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const fields = ['--path-pattern', paths, '--spiffeid-pattern', '^spiffe://spike\\.ist/web$'];
  await system.mustSpike(['policy', 'create', '--name', name, ...fields, '--permissions', 'read,list'], {
    env,
  });
}

/** Takes out what people keep: recovery shares, a backup and the identity that opens it. */
async function keep(system: System, directory: string): Promise<Kept> {
  const recover = `spiffe://${(await system.context()).trustDomain}${rolePaths.recover}`;
  await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', rolePaths.recover]);
  assert.equal((await system.spike(['operator', 'recover'])).code, 11, 'an administrator has to open it');
  await system.mustSpike(['approve', 'recover', '--for', recover]);
  const env = { SPIKE_PILOT_RECOVERY_DIR: directory };
  const out = await system.mustSpike(['operator', 'recover', '-f', 'json'], { env });
  const taken = parse<{ directory: string; shares: readonly number[] }>(out);
  const shares = taken.shares.map((id) => join(taken.directory, `spike.recovery.${id}.txt`));
  const [file, identity] = [join(directory, 'today.age'), join(directory, 'backup.key')];
  const recipient = (await system.mustSpike(['backup', 'key', identity])).trim();
  // One that is taken by hand; the reset takes its own.
  const early = join(directory, 'early.age');
  await system.mustSpike(['backup', 'create', early, '-r', recipient]);
  assert.match(await system.mustSpike(['backup', 'verify', early, '-i', identity]), /records opened/);
  return { directory, file, identity, shares };
}

/** The script, once a threshold of the holders has approved it, for the backup that the first try has made. */
async function printReset(system: System, { file, identity, shares }: Kept): Promise<string> {
  const ask = ['reset', '--force', '--backup', file];
  assert.equal((await system.spike(ask)).code, 2, 'nobody could tell whether it will open');
  const print = [...ask, '--identity', identity];
  const first = await system.spike(print);
  assert.equal(first.code, 11, first.stderr);
  assert.equal(first.stdout, '');
  assert.match(first.stderr, /The backup, .*today\.age .* opens as a whole/);
  assert.match(first.stderr, /holders of 2 of the 3 recovery shares .* then give this command again/);
  const made = await readFile(file);
  const [one = '', , three = ''] = shares;
  const approve = (share: string) =>
    system.mustSpike(['approve', approvalOf(first.stderr), '--share-file', share, '--yes']);
  assert.match(await approve(one), /1 more share has to answer/);
  const second = await system.spike(print);
  assert.equal(second.code, 11, 'one of two is not enough');
  assert.equal(approvalOf(second.stderr), approvalOf(first.stderr));
  assert.match(await approve(three), /It is approved/);
  const third = await system.spike(print);
  assert.equal(third.code, 0, third.stderr);
  assert.match(third.stderr, /The backup that was there/);
  assert.deepEqual(await readFile(file), made);
  assert.equal((await system.spike(print)).code, 11, 'an approval is good once');
  return third.stdout;
}

async function runReset(file: string, instance: string): Promise<void> {
  const wrong = await runScript(file, { answers: ['another-instance'] });
  assert.equal(wrong.code, 1, wrong.output);
  const run = await runScript(file, { answers: [instance] });
  assert.equal(run.code, 0, run.output);
  assert.match(run.output, /What comes next/);
}

/** What a next instance would find of the one before. */
async function leftOf(home: string): Promise<readonly string[]> {
  const names = [...(await readdir(join(home, 'nexus'))), ...(await readdir(home))];
  return names.filter((name) => ['data', 'anchor.json', 'audit', 'init-code', 'recovery'].includes(name));
}

async function restore(system: System, { file, identity, shares }: Kept): Promise<void> {
  const command = ['backup', 'restore', file, '-i', identity];
  const [one = '', two = ''] = shares;
  assert.equal((await system.spike([...command, '-s', one, '--yes'])).code, 1, 'one share is too few');
  const told = await system.spike([...command, '-s', one, '-s', two]);
  assert.equal(told.code, 2, 'what cannot be taken back wants a yes');
  assert.match(told.stderr, /secrets +4, with 6 versions/);
  assert.match(told.stderr, /policies +2: /);
  assert.match(told.stderr, /disabled +cem/);
  assert.deepEqual(await keysOf(system), [], 'nothing was changed');
  await system.mustSpike([...command, '-s', one, '-s', two, '--yes']);
}

async function login(system: System, user: string, password: string) {
  const flags = ['--user', user, '--password-stdin', '--print-token'];
  return await system.spike(['login', ...flags], { input: password });
}

async function keysOf(system: System): Promise<readonly string[]> {
  const out = await system.mustSpike(['secret', 'list', '--recursive', '-f', 'json']);
  return parse<{ keys?: readonly string[] } | readonly string[]>(out) as readonly string[];
}

interface Administrator {
  readonly name: string;
  readonly oneTimeUntil?: string;
}

/** Everything that can be asked about what a backup holds; the letter has to open, too. */
async function describe(system: System, letter: string): Promise<unknown> {
  const ask = async (...words: readonly string[]): Promise<unknown> =>
    parse<unknown>(await system.mustSpike([...words, '-f', 'json']));
  const secrets: unknown[] = [];
  for (const key of ['team/db', 'team/old', 'team/binary', 'tenants/acme/web']) {
    const values: unknown[] = [];
    for (const version of ['1', '2']) {
      const { code, stdout } = await system.spike(['secret', 'get', key, '-v', version, '-f', 'json']);
      values.push([code, stdout]);
    }
    secrets.push([key, await ask('secret', 'metadata', 'get', key), values]);
  }
  const raw = await system.mustSpike(['secret', 'get', 'team/binary', 'blob', '-f', 'json']);
  const policies = [
    await ask('policy', 'get', 'shop'),
    await ask('policy', 'get', 'web', '--tenant', 'tenants/acme'),
    await ask('policy', 'list'),
  ];
  const administrators = (await ask('admin', 'list')) as readonly Administrator[];
  return {
    keys: await keysOf(system),
    secrets,
    raw,
    policies,
    // Whoever restores is the one that he was made here.
    administrators: administrators
      .filter(({ name }) => name !== 'admin')
      // It is kept by the clock of sessions: as a time of the wall clock it may differ by a millisecond.
      .map(({ oneTimeUntil, ...one }) => ({ ...one, isOneTime: oneTimeUntil !== undefined })),
    letter: await system.mustSpike(['cipher', 'decrypt'], { input: letter }),
  };
}
