import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { hour, minute, passwords, root, Stage } from './testing/stage.ts';

const manager = { name: 'admin', role: 'super_admin', tenant: undefined } as const;

test('holders of recovery shares give the last super_admin a one-time password, and he stays what he is', async () => {
  await using stage = await Stage.open();
  const { token } = await stage.init();
  const { administrators } = stage.layer;
  await assert.rejects(
    administrators.resetPassword({ ...manager, name: 'bob' }, 'admin', stage.asked()),
    hasCode('entity_version_conflict'),
    'an administrator may not, since nobody would be left',
  );
  const before = await administrators.get('admin', undefined);
  const { administrator, oneTimePassword } = await administrators.recoverPassword('admin', stage.asked());
  assert.deepEqual(
    { ...administrator, oneTimeUntil: undefined, issuedAt: 0, issuedBy: '' },
    { ...before, issuedAt: 0, issuedBy: '' },
  );
  assert.equal(administrator.oneTimeUntil, stage.at.wall + 24 * hour);
  assert.equal(administrator.issuedBy, 'recovery shares');
  assert.deepEqual(
    stage.alerts.map(({ kind, subject }) => [kind, subject]),
    [['password_reset', 'admin']],
  );
  assert.throws(() => stage.authenticate(token), hasCode('session_required'));
  await assert.rejects(stage.login('admin', passwords.first), hasCode('login_refused'));
  await assert.rejects(stage.login('admin', oneTimePassword), hasCode('password_change_required'));
  await assert.rejects(
    stage.login('admin', oneTimePassword, { newPassword: passwords.first }),
    hasCode('password_weak'),
    'the password that was lost is none that he may have again',
  );
  const begun = await stage.login('admin', oneTimePassword, { newPassword: passwords.second });
  assert.equal(stage.authenticate(begun.token).role, 'super_admin');
});

test('it is over after 24 hours', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { oneTimePassword } = await stage.layer.administrators.recoverPassword('admin', stage.asked());
  stage.pass(24 * hour);
  await assert.rejects(
    stage.login('admin', oneTimePassword, { newPassword: passwords.second }),
    hasCode('login_refused'),
  );
});

test('it works while every super_admin is locked out, and ends the lockout', async () => {
  await using stage = await Stage.open();
  await stage.init();
  for (let count = 0; count < 20; count++) {
    await assert.rejects(stage.login('admin', passwords.third), hasCode('login_refused'));
    stage.pass(minute / 2);
  }
  assert.ok(stage.kinds().includes('account_locked'));
  await assert.rejects(stage.login('admin', passwords.first), hasCode('login_refused'));
  const { oneTimePassword } = await stage.layer.administrators.recoverPassword('admin', stage.asked());
  await stage.login('admin', oneTimePassword, { newPassword: passwords.second });
});

test('nobody is made an administrator by it, and nobody is brought back', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { administrators } = stage.layer;
  const wanted = { name: 'bob', role: 'super_admin', tenant: undefined, spiffeId: root } as const;
  await administrators.create(manager, wanted, stage.asked());
  await administrators.setEnabled(manager, 'bob', false, stage.asked());
  for (const [name, code] of [
    ['nobody', 'api_not_found'],
    ['bob', 'entity_version_conflict'],
  ] as const) {
    await assert.rejects(administrators.checkRecoverable(name), hasCode(code));
    await assert.rejects(administrators.recoverPassword(name, stage.asked()), hasCode(code));
  }
  assert.equal((await administrators.get('bob', undefined)).state, 'disabled');
});
