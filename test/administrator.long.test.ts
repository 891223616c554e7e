import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { initialize, newPassword, startGuarded, withFile } from './admin.ts';
import { readAudit } from './audit.ts';
import type { System } from './system.ts';

let system: System;
let password = '';
before(async () => {
  system = await startGuarded();
  password = await initialize(system);
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'user=app']);
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

test('another administrator: one-time password, roles, disabling', async () => {
  const made = await system.mustSpike(['admin', 'create', 'ann', '--role', 'auditor', '-f', 'json']);
  const { oneTimePassword } = JSON.parse(made) as { oneTimePassword: string };
  const chosen = newPassword();
  const login = ['login', '--user', 'ann', '--print-token', '--password-stdin'];
  assert.equal((await system.spike(login, { input: oneTimePassword })).code, 8);
  const token = await withFile(chosen, async (file) =>
    (await system.mustSpike([...login, '--new-password-file', file], { input: oneTimePassword })).trim(),
  );
  const env = { SPIKE_TOKEN: token };
  await system.mustSpike(['policy', 'list'], { env });
  assert.equal(
    (await system.spike(['secret', 'get', 'tenants/acme/db'], { env })).code,
    4,
    'no auditor reads a value',
  );
  assert.equal((await system.spike(['admin', 'create', 'eve', '--role', 'auditor'], { env })).code, 4);
  assert.equal((await system.spike(['admin', 'disable', 'admin'])).code, 6, 'the last super_admin');
  assert.equal(
    (await system.spike(['admin', 'reset-password', 'admin'])).code,
    6,
    'with the own token alone',
  );
  await system.mustSpike(['admin', 'disable', 'ann']);
  assert.equal((await system.spike(['policy', 'list'], { env })).code, 8);
  assert.equal((await system.spike(login, { input: chosen })).code, 4);
  assert.match(await system.mustSpike(['admin', 'list']), /ann {2}auditor, disabled/);
  await system.mustSpike(['admin', 'enable', 'ann']);
  await system.mustSpike(['admin', 'set-role', 'ann', 'tenant_admin', '--tenant', 'tenants/acme']);
  const issued = await system.mustSpike(['admin', 'reset-password', 'ann', '-f', 'json']);
  const { oneTimePassword: second } = JSON.parse(issued) as { oneTimePassword: string };
  assert.notEqual(second, oneTimePassword);
  const tenant = await withFile(newPassword(), async (file) => {
    const begun = await system.mustSpike([...login, '--new-password-file', file], { input: second });
    return { SPIKE_TOKEN: begun.trim() };
  });
  const seen = await system.spike(['status', '-f', 'json'], { env: tenant });
  assert.match(seen.stdout, /"detailed": ?false/, 'others are no matter of his');
  assert.equal((await system.spike(['status', '--history'], { env: tenant })).code, 4);
  assert.equal((await system.spike(['approve', 'list'], { env: tenant })).code, 4);
  await system.mustSpike(['approve', 'list']);
  const records = await readAudit(system.home);
  assert.ok(records.some(({ action, outcome }) => action === 'administrator.create' && outcome === 'ok'));
  const own = records.filter(
    ({ action, outcome, subject }) => action === 'login' && outcome === 'ok' && subject === 'ann',
  );
  assert.ok(own.length > 0);
  for (const { administrator, accessor } of own) {
    assert.equal(administrator, 'ann');
    assert.match(String(accessor), /^[a-z2-7]{16}$/);
  }
});

test('a restart ends all sessions, and the administrators stay', async () => {
  const { home } = system;
  await system.stop();
  system = await startGuarded({ home: home.root });
  assert.doesNotMatch(system.output, /npx spike init/);
  assert.equal((await system.spike(['secret', 'list'])).code, 8);
  await system.mustSpike(['login', '--password-stdin'], { input: password });
  await system.mustSpike(['secret', 'list']);
});
