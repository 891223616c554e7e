import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { sessionsOf } from './layer-port.ts';
import { minute, passwords, root, Stage } from './testing/stage.ts';

test('a token from another identity is refused, revoked and reported', async () => {
  await using stage = await Stage.open();
  const { token, session } = await stage.init();
  assert.throws(() => stage.authenticate(token, `${root}/mallory`), hasCode('session_required'));
  const [alert] = stage.alerts;
  assert.deepEqual(
    [alert?.kind, alert?.subject, alert?.detail?.['accessor']],
    ['token_misuse', 'admin', session.accessor],
  );
  assert.ok(!JSON.stringify(stage.alerts).includes(token));
  assert.throws(() => stage.authenticate(token), hasCode('session_required'));
  assert.equal(stage.alerts.length, 1);
});

test('no token, no shape of one, and one that never was are all told to log in', async () => {
  await using stage = await Stage.open();
  await stage.init();
  for (const token of [undefined, '', 'x', `spk_${'a'.repeat(16)}_${'a'.repeat(52)}_${'a'.repeat(8)}`])
    assert.throws(() => stage.authenticate(token), hasCode('session_required'));
});

test('what was admitted is asked again when its transaction is handed over', async () => {
  await using stage = await Stage.open();
  const { token, session } = await stage.init();
  const administration = stage.authenticate(token);
  stage.layer.port.assertStill(administration);
  await stage.layer.sessions.revoke(
    { kind: 'accessor', accessor: session.accessor },
    undefined,
    stage.asked(),
  );
  assert.throws(() => stage.layer.port.assertStill(administration), hasCode('session_required'));
});

test('a session that is over by time is over for what was admitted before, too', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { token } = await stage.login('admin', passwords.first, { ttlMs: minute });
  const administration = stage.authenticate(token);
  stage.pass(minute);
  assert.throws(() => stage.layer.port.assertStill(administration), hasCode('session_required'));
});

test('a break-glass counts while it is open, and what came under it ends with it', async () => {
  let isOpen = true;
  await using stage = await Stage.open({ isEmergency: () => isOpen });
  const { token } = await stage.init();
  const administration = stage.authenticate(token);
  assert.equal(administration.emergency, true);
  stage.layer.port.assertStill(administration);
  isOpen = false;
  assert.throws(() => stage.layer.port.assertStill(administration), hasCode('session_required'));
  assert.equal(stage.authenticate(token).emergency, false);
});

test('a restart and a withdrawal of the identity end all sessions; the passwords stay', async () => {
  await using stage = await Stage.open();
  const { token } = await stage.init();
  stage.layer.endAll();
  assert.throws(() => stage.authenticate(token), hasCode('session_required'));
  const second = await stage.login('admin', passwords.first);
  await using again = await stage.restart();
  assert.throws(() => again.authenticate(second.token), hasCode('session_required'));
  await again.login('admin', passwords.first);
});

test('sessions are listed with where they came from, by tenant, and ended by one, name or all', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const manager = { name: 'admin', role: 'super_admin', tenant: undefined } as const;
  const ann = { name: 'ann', role: 'tenant_admin', tenant: 'tenants/acme', spiffeId: `${root}/ann` } as const;
  const { oneTimePassword } = await stage.layer.administrators.create(manager, ann, stage.asked());
  const login = { id: ann.spiffeId, newPassword: passwords.second };
  const { session } = await stage.login('ann', oneTimePassword, login);
  const { sessions } = stage.layer;
  assert.deepEqual(
    sessions.list(undefined).map(({ administrator, spiffeId }) => [administrator, spiffeId]),
    [
      ['admin', root],
      ['ann', ann.spiffeId],
    ],
  );
  const tenant = ['tenants', 'acme'];
  assert.deepEqual(
    sessions.list(tenant).map(({ accessor }) => accessor),
    [session.accessor],
  );
  assert.equal(sessions.list(['tenants']).length, 0);
  const admins = sessions.list(undefined)[0]?.accessor ?? '';
  assert.throws(() => sessions.get(admins, tenant), hasCode('api_not_found'));
  for (const selection of [
    { kind: 'accessor', accessor: admins },
    { kind: 'user', user: 'admin' },
  ] as const)
    await assert.rejects(sessions.revoke(selection, tenant, stage.asked()), hasCode('api_not_found'));
  assert.equal(await sessions.revoke({ kind: 'all' }, tenant, stage.asked()), 1);
  assert.equal(await sessions.revoke({ kind: 'all' }, tenant, stage.asked()), 0);
  assert.equal(await sessions.revoke({ kind: 'user', user: 'admin' }, undefined, stage.asked()), 1);
  await assert.rejects(sessions.renew(admins, minute, stage.asked()), hasCode('session_required'));
});

test('while there is no root key there are no sessions', () => {
  const port = sessionsOf(() => undefined);
  const use = { token: undefined, peer: undefined as never, remoteAddress: '', trail: '' };
  assert.throws(() => port.authenticate(use), hasCode('session_required'));
  assert.equal(port.accessorOf('x'), undefined);
});
