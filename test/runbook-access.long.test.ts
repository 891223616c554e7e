import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { newPassword, startGuarded } from './admin.ts';
import { asOneTime, asPassword, backupIn, Drill, find, logIn, oneTimeOf, secret } from './drill.ts';
import { openScratch, until } from './system.ts';

/* What the runbook says of passwords, tokens and administrators, and of the review: the loss is real, then the page ends it. */

/** The shortest that the settings allow. */
const lockMs = 60_000;

test('lost password: another super_admin resets it', async () => {
  await using system = await startGuarded();
  const drill = new Drill(system, 'lost-password');
  await drill.setUp();
  const made = await system.mustSpike(['admin', 'create', 'bob', '--role', 'super_admin']);
  const bob = drill.as(await logIn(system, 'bob', asOneTime(oneTimeOf(made), newPassword())));
  await drill.train('Lost password', { login: asPassword('forgotten') });
  const oneTime = oneTimeOf(await bob.run('Another super_admin is there'));
  await drill.run('Log in with it', { login: asOneTime(oneTime, newPassword()) });
  assert.equal(await drill.train('Lost password is over'), secret);
});

test('lost password: holders of recovery shares bring the only administrator back', async () => {
  await using system = await startGuarded();
  const drill = new Drill(system, 'lost-password');
  await drill.setUp();
  await drill.train('Lost password', { login: asPassword('forgotten') });
  await askHolders(drill, (id) => drill.shareOf(id));
  assert.equal(await drill.train('Lost password is over'), secret);
  const seen = await drill.run('How to see that it worked');
  assert.match(seen, /password_reset[^]*operator\.password {2}failed[^]*operator\.password {2}ok/);
});

test('lost password: where nobody holds shares, whoever runs Nexus takes the second door away to get them', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  {
    await using before = await startGuarded({ home });
    const drill = new Drill(before, 'lost-password');
    await drill.setUp();
    await drill.train('Lost password', { login: asPassword('forgotten') });
    await before.mustSpike(['authority', 'entry', 'create', '--spiffe-id', '/spike/pilot/role/recover']);
    assert.equal((await before.spike(['operator', 'recover'])).code, 11, 'not with the identity alone');
  }
  {
    await using open = await startGuarded({ home, env: { SPIKE_NEXUS_ADMIN_AUTH: 'svid' } });
    assert.match(await open.mustSpike(['status']), /SVID alone \(one layer\)/);
    const env = { SPIKE_PILOT_RECOVERY_DIR: home };
    assert.match(await new Drill(open, 'lost-password', env).run('Nobody holds shares'), /shards saved/);
  }
  await using system = await startGuarded({ home });
  const drill = new Drill(system, 'lost-password');
  assert.equal((await system.spike(['secret', 'list'])).code, 8, 'the second door is there again');
  await askHolders(drill, (id) => drill.shareOf(id, 'recover'));
  assert.equal(await drill.train('Lost password is over'), secret);
  assert.match(await system.mustSpike(['status', '--history']), /auth_mode/);
});

/** From the question to the first login with what it brought. */
async function askHolders(drill: Drill, shareOf: (id: number) => string): Promise<void> {
  await drill.run('Nobody else can log in');
  for (const id of [1, 3]) {
    drill.variables['SHARE'] = shareOf(id);
    const shown = await drill.run('Each holder approves', {
      '--share-file': [[/Do you approve this\?/, 'y']],
    });
    assert.match(shown, /reset-password of admin/);
  }
  const oneTime = oneTimeOf(await drill.run('Fetch the one-time password'));
  await drill.run('Log in with it', { login: asOneTime(oneTime, newPassword()) });
}

test('leaked token: it is revoked, and is worth nothing from the next request on', async () => {
  await using system = await startGuarded();
  const drill = new Drill(system, 'leaked-token');
  const password = await drill.setUp();
  const token = find(await drill.train('Leaked token', { login: asPassword(password) }), /(spk_\w+)/);
  Object.assign(drill.variables, { TOKEN: token, ACCESSOR: token.split('_')[1] ?? '' });
  assert.equal(await drill.train('Leaked token is real'), secret);
  await drill.run('Revoke it');
  assert.match(await drill.run('See what it was used for'), /secret\.get/);
  const seen = await drill.run('How to see that it worked');
  assert.match(seen, /token\.revoke {2}ok/);
  assert.ok((await drill.train('Leaked token is over')).endsWith(secret));
});

test('compromised administrator: out at once, and what they made is taken back', async () => {
  await using system = await startGuarded();
  const drill = new Drill(system, 'compromised-administrator');
  await drill.setUp();
  const own = newPassword();
  const oneTime = oneTimeOf(await drill.train('Compromised administrator'));
  const mallory = drill.as(await logIn(system, 'mallory', asOneTime(oneTime, own)));
  assert.ok((await mallory.train('Compromised administrator is real')).includes(secret));
  Object.assign(drill.variables, { NAME: 'mallory', OTHER: 'eve', POLICY: 'everything' });
  await drill.run('Keep them out');
  const seen = await drill.run('See what they did');
  assert.match(seen, /secret\.get {2}ok {2}mallory[^]*administrator\.create {2}ok[^]*policy\.put {2}ok/);
  await drill.run('Take back what they did');
  await mallory.train('Compromised administrator is over', { login: asPassword(own) });
  const after = await drill.run('How to see that it worked');
  assert.match(after, /eve {2}super_admin, disabled[^]*mallory {2}super_admin, disabled/);
  assert.doesNotMatch(after, /everything/);
});

test('locked out: too many wrong passwords, no identity, disabled, and nobody there who may do it', async () => {
  const env = { SPIKE_NEXUS_LOGIN_FAILURES: '3', SPIKE_NEXUS_LOGIN_LOCKOUT: '1m' };
  await using system = await startGuarded({ env });
  const drill = new Drill(system, 'locked-out');
  const password = await drill.setUp();
  const own = newPassword();
  const made = oneTimeOf(await drill.train('Emergency'));
  const ben = drill.as(await logIn(system, 'ben', asOneTime(made, own)));

  await until('the name is locked', async () => {
    const wrong = ['login', '--print-token', '--password-stdin'];
    assert.notEqual((await system.spike(wrong, { input: 'wrong' })).code, 0);
    return (await system.mustSpike(['alert', 'list'])).includes('account_locked');
  });
  const lockedAt = performance.now();
  await drill.train('Locked out', { login: asPassword(password) });
  await until('the lock is over', () => performance.now() - lockedAt > lockMs, 2 * lockMs);
  await drill.run('Too many wrong passwords', { login: asPassword(password) });

  const entries = await system.mustSpike(['authority', 'entry', 'list', '-f', 'json']);
  const superuser = (JSON.parse(entries) as { id: string; spiffeId: string }[]).find(({ spiffeId }) =>
    spiffeId.endsWith('/role/superuser'),
  );
  await system.mustSpike(['authority', 'entry', 'delete', superuser?.id ?? '']);
  await drill.train('No identity is real');
  await drill.run('No identity', { login: asPassword(password) });

  drill.variables['NAME'] = 'ben';
  await system.mustSpike(['admin', 'disable', 'ben']);
  assert.equal((await system.spike(['token', 'show'], { env: ben.variables })).code, 8);
  await drill.run('Disabled');
  ben.variables['SPIKE_TOKEN'] = await logIn(system, 'ben', asPassword(own));

  await ben.train('Emergency is real');
  const opened = await ben.run('Nobody is there who may do it');
  const id = find(opened, /spike breakglass approve (\w+)/);
  for (const one of [drill, ben]) one.variables['BREAKGLASS'] = id;
  await ben.train('Emergency is real');
  await drill.run('A super_admin approves');
  assert.ok((await ben.train('Emergency is open')).startsWith(secret));
  assert.match(await ben.run('Work, and close it'), /secret\.get/);
  await ben.train('Emergency is real');
  await drill.run('How to see that it worked');
});

test('review: the access is looked through and noted, and status has the date', async () => {
  await using scratch = await openScratch();
  await using system = await startGuarded();
  const drill = new Drill(system, 'review', backupIn(scratch.path));
  await drill.setUp();
  await drill.train('Lost store');
  assert.match(
    await system.mustSpike(['status']),
    /Review: +never[^]*Reset: +never|Reset: +never[^]*Review: +never/,
  );
  const seen = await drill.run('Who read what');
  assert.match(seen, /secret\.get {2}.*admin/);
  await drill.run('Who may do what');
  await drill.run('What we would need');
  assert.match(await drill.run('How to see that it worked'), /Reset: +rehearsed .*\nReview: +finished /);
});
