import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { access, chmod, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { initialize, newPassword, startGuarded, withFile } from './admin.ts';
import { readAudit } from './audit.ts';
import type { System } from './system.ts';

let system: System;
before(async () => {
  system = await startGuarded();
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

let password = '';

test('a new system says to run init, does nothing else before it, and is initialised once', async () => {
  assert.match(system.output, /npx spike init/);
  const early = await system.spike(['secret', 'list']);
  assert.equal(early.code, 10, early.stderr);
  assert.match(early.stderr, /spike init/);
  assert.equal((await system.spike(['login', '--password-stdin'], { input: 'x' })).code, 10);
  assert.equal((await system.spike(['status'])).code, 0);
  assert.equal((await stat(system.home.initCodeFile)).mode & 0o777, 0o600);
  const weak = await system.spike(['init', '--password-stdin'], { input: 'passwordpassword\n' });
  assert.equal(weak.code, 2);
  assert.match(weak.stderr, /the password is refused/);
  assert.doesNotMatch(weak.stderr, /passwordpassword/);
  await withFile('aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-a\n', async (file) => {
    const wrong = await system.spike(['init', '--code-file', file, '--password-stdin'], {
      input: newPassword(),
    });
    assert.equal(wrong.code, 4, wrong.stderr);
  });
  password = await initialize(system);
  await assert.rejects(access(system.home.initCodeFile));
  assert.equal((await stat(system.home.tokenFile)).mode & 0o777, 0o600);
  assert.equal((await stat(dirname(system.home.tokenFile))).mode & 0o777, 0o700);
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'user=app']);
  // Whoever ran init was told the key of the audit, and is a witness from then on.
  assert.match(await system.mustSpike(['audit', 'verify']), /The audit is whole/);
  await withFile('x', async (file) => {
    const again = await system.spike(['init', '--code-file', file, '--password-stdin'], { input: password });
    assert.equal(again.code, 9, again.stderr);
  });
});

test('a superuser without a session is refused outside of a terminal with 8 and told what to run', async () => {
  await system.mustSpike(['logout']);
  assert.match(await system.mustSpike(['logout']), /no session any more/);
  const refused = await system.spike(['secret', 'get', 'tenants/acme/db']);
  assert.equal(refused.code, 8);
  assert.match(refused.stderr, /spike login/);
  await system.mustSpike(['login', '--password-stdin'], { input: password });
  assert.match(await system.mustSpike(['secret', 'get', 'tenants/acme/db']), /user: app/);
});

test('a token for scripts: from a variable or standard input, read-only, for so many uses', async () => {
  const login = async (...flags: string[]): Promise<string> =>
    (
      await system.mustSpike(['login', '--password-stdin', '--print-token', ...flags], { input: password })
    ).trim();
  const reading = await login('--scope', 'read-only', '--uses', '2', '--ttl', '5m');
  assert.match(reading, /^spk_[a-z2-7]{16}_[a-z2-7]{52}_[a-z2-7]{8}$/);
  const env = { SPIKE_TOKEN: reading };
  assert.equal((await system.spike(['secret', 'put', 'a/b', 'c=d'], { env })).code, 4);
  await system.mustSpike(['secret', 'get', 'tenants/acme/db'], { env });
  assert.equal((await system.spike(['secret', 'get', 'tenants/acme/db'], { env })).code, 8);
  const writing = await login();
  await system.mustSpike(['secret', 'put', 'a/b', 'c=-', '--token-stdin'], {
    input: `${writing}\nfrom behind`,
  });
  assert.equal(await system.mustSpike(['secret', 'get', 'a/b', 'c']), 'from behind\n');
});

test('sessions are listed without tokens, renewed, and end with the next request', async () => {
  const other = await system.mustSpike(['login', '--password-stdin', '--print-token', '-f', 'json'], {
    input: password,
  });
  const { accessor, token } = JSON.parse(other) as { accessor: string; token: string };
  const listed = await system.mustSpike(['token', 'list', '-f', 'json']);
  assert.ok(listed.includes(accessor) && !listed.includes(token.slice(21, 73)));
  const env = { SPIKE_TOKEN: token };
  await system.mustSpike(['token', 'renew', '--ttl', '2h'], { env });
  const shown = JSON.parse(await system.mustSpike(['token', 'show', '-f', 'json'], { env })) as {
    expiresAt: string;
  };
  assert.ok(Date.parse(shown.expiresAt) - Date.now() > 7_000_000);
  await system.mustSpike(['token', 'revoke', accessor]);
  assert.equal((await system.spike(['secret', 'list'], { env })).code, 8);
  assert.equal((await system.spike(['token', 'revoke', accessor])).code, 3);
});

test('a password given as an argument works and draws a warning; a wrong one says no more than that', async () => {
  const given = await system.spike(['login', '--password', password]);
  assert.equal(given.code, 0, given.stderr);
  assert.match(given.stderr, /visible to other processes/);
  const answers = await Promise.all([
    system.spike(['login', '--password-stdin'], { input: 'not the password' }),
    system.spike(['login', '--user', 'nobody', '--password-stdin'], { input: password }),
  ]);
  const said = answers.map(({ code, stderr }) => [code, stderr.replace(/trail in the audit is \w+/, '')]);
  assert.equal(said[0]?.[0], 4);
  assert.deepEqual(said[0], said[1]);
});

test('changing the password ends all other sessions and keeps this one', async () => {
  const other = (
    await system.mustSpike(['login', '--password-stdin', '--print-token'], { input: password })
  ).trim();
  const next = newPassword();
  await system.mustSpike(['password', 'change', '--password-stdin'], { input: `${password}\n${next}` });
  assert.equal((await system.spike(['secret', 'list'], { env: { SPIKE_TOKEN: other } })).code, 8);
  await system.mustSpike(['secret', 'list']);
  password = next;
});

test('a token file that others could read is refused before it is read', async () => {
  await chmod(system.home.tokenFile, 0o644);
  const refused = await system.spike(['secret', 'list']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /chmod go=/);
  await chmod(system.home.tokenFile, 0o600);
  await chmod(dirname(system.home.tokenFile), 0o755);
  assert.equal((await system.spike(['secret', 'list'])).code, 1);
  await chmod(dirname(system.home.tokenFile), 0o700);
  await system.mustSpike(['secret', 'list']);
});

test('a token shown by another identity is revoked for everybody and audited', async () => {
  const token = (
    await system.mustSpike(['login', '--password-stdin', '--print-token'], { input: password })
  ).trim();
  const env = { SPIKE_TOKEN: token };
  const spike = process.argv[1];
  assert.ok(spike !== undefined);
  await system.mustSpike(['secret', 'list'], { env });
  const path = '/spike/pilot/role/superuser/mallory';
  const command = ['authority', 'run', path, '--', process.execPath, 'bin/spike.mjs', 'secret', 'list'];
  assert.equal((await system.spike(command, { env })).code, 8);
  assert.equal((await system.spike(['secret', 'list'], { env })).code, 8);
  const records = await readAudit(system.home);
  assert.ok(records.some(({ spiffeId, outcome }) => String(spiffeId).endsWith(path) && outcome === 'denied'));
});

test('the audit has every act under its own name, with who and which session, and no secret', async () => {
  // A password in the place of the name, in the form of one.
  const slip = 'correct-horse-battery-staple';
  assert.equal((await system.spike(['login', '--user', slip, '--password-stdin'], { input: 'x' })).code, 4);
  const records = await readAudit(system.home);
  const logins = records.filter(({ action }) => action === 'login');
  assert.deepEqual([logins.at(-1)?.outcome, logins.at(-1)?.subject], ['denied', undefined]);
  assert.ok(logins.some(({ outcome, subject }) => outcome === 'denied' && subject === 'admin'));
  assert.ok(logins.some(({ outcome, subject }) => outcome === 'ok' && subject === 'admin'));
  const actions = new Set(records.map(({ action }) => action));
  for (const action of ['init', 'login', 'logout', 'token.revoke', 'token.renew', 'password.change'])
    assert.ok(actions.has(action), action);
  const named = (action: string, outcome: string) =>
    records
      .filter((record) => record.action === action && record.outcome === outcome)
      .map(({ subject, administrator, accessor }) => ({ subject, administrator, accessor }));
  const [init, ...more] = named('init', 'ok');
  assert.deepEqual([init?.administrator, more.length], ['admin', 0]);
  const begun = [init, ...named('login', 'ok')];
  for (const { administrator, subject } of named('login', 'ok'))
    assert.deepEqual([administrator, subject], ['admin', 'admin']);
  for (const record of begun) assert.match(String(record?.accessor), /^[a-z2-7]{16}$/);
  assert.equal(new Set(begun.map((record) => record?.accessor)).size, begun.length, 'each login its own');
  const refused = [...named('login', 'denied'), ...named('login', 'failed'), ...named('init', 'failed')];
  for (const record of refused)
    assert.deepEqual([record.administrator, record.accessor], [undefined, undefined]);
  const meant = new Set(refused.map(({ subject }) => subject));
  assert.deepEqual(meant, new Set(['admin', undefined]), 'who is known, and nothing else that was typed');
  const put = records.find(({ action, outcome }) => action === 'secret.put' && outcome === 'ok');
  assert.equal(put?.administrator, 'admin');
  assert.match(String(put?.accessor), /^[a-z2-7]{16}$/);
  const token = (JSON.parse(await readFile(system.home.tokenFile, 'utf8')) as { token: string }).token;
  const everything = JSON.stringify(records) + system.output;
  assert.ok(!everything.includes(token.slice(21, 73)) && !everything.includes(password));
  assert.ok(!everything.includes(slip));
});
