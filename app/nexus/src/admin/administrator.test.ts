import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizeName } from '@spike/contract';
import { hasCode } from '../vault/testing/instance.ts';
import type { Manager, NewAdministrator } from './administrator.ts';
import { hour, passwords, root, Stage } from './testing/stage.ts';

const admin: Manager = { name: 'admin', role: 'super_admin', tenant: undefined };
const acme: Manager = { name: 'ann', role: 'tenant_admin', tenant: ['tenants', 'acme'] };

const create = async (stage: Stage, manager: Manager, wanted: Partial<NewAdministrator>) =>
  await stage.layer.administrators.create(
    manager,
    { name: 'bob', role: 'super_admin', tenant: undefined, spiffeId: root, ...wanted },
    stage.asked(),
  );

/** An administrator who has logged in and has a password of his own. */
async function settle(stage: Stage, wanted: Partial<NewAdministrator> = {}): Promise<string> {
  const { oneTimePassword, administrator } = await create(stage, admin, wanted);
  return (await stage.login(administrator.name, oneTimePassword, { newPassword: passwords.second })).token;
}

test('a new administrator has a one-time password, which he has to change at his first login', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { administrator, oneTimePassword } = await create(stage, admin, { name: 'bob', role: 'auditor' });
  assert.match(oneTimePassword, /^(?:[a-z2-7]{5}-){4}[a-z2-7]{5}$/);
  assert.equal(administrator.oneTimeUntil, stage.at.wall + 24 * hour);
  assert.deepEqual(stage.kinds(), ['admin_created']);
  await assert.rejects(stage.login('bob', oneTimePassword), hasCode('password_change_required'));
  await assert.rejects(
    stage.login('bob', oneTimePassword, { newPassword: 'weak' }),
    hasCode('password_weak'),
  );
  await assert.rejects(
    stage.login('bob', oneTimePassword, { newPassword: oneTimePassword }),
    hasCode('password_weak'),
  );
  await assert.rejects(
    stage.login('bob', 'wrong', { newPassword: passwords.second }),
    hasCode('login_refused'),
  );
  const { token } = await stage.login('bob', oneTimePassword, { newPassword: passwords.second });
  assert.deepEqual([stage.authenticate(token).name, stage.authenticate(token).role], ['bob', 'auditor']);
  await assert.rejects(stage.login('bob', oneTimePassword), hasCode('login_refused'));
  await stage.login('bob', passwords.second);
  assert.equal((await stage.layer.administrators.get('bob', undefined)).oneTimeUntil, undefined);
});

test('a reset by another administrator ends the lockout, and guesses at the new password are counted anew', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const lock = async () => {
    for (let count = 0; count < 5; count++) {
      await assert.rejects(stage.login('bob', passwords.third), hasCode('login_refused'));
      stage.pass(30_000);
    }
  };
  const { oneTimePassword: first } = await create(stage, admin, {});
  const chosen = { newPassword: passwords.second };
  await lock();
  await assert.rejects(stage.login('bob', first, chosen), hasCode('login_refused'));
  const { administrators } = stage.layer;
  const { oneTimePassword } = await administrators.resetPassword(admin, 'bob', stage.asked());
  await stage.login('bob', oneTimePassword, chosen);
  await lock();
  await assert.rejects(stage.login('bob', passwords.second), hasCode('login_refused'));
});

test('a one-time password ends after 24 hours, also over a restart with the wall clock set back', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { oneTimePassword } = await create(stage, admin, {});
  stage.pass(24 * hour - 1);
  await assert.rejects(stage.login('bob', oneTimePassword), hasCode('password_change_required'));
  await assert.rejects(stage.login('bob', 'x'), hasCode('login_refused'));
  await using again = await stage.restart({ wall: stage.at.wall - 30 * 24 * hour });
  again.pass(1);
  await assert.rejects(again.login('bob', oneTimePassword), hasCode('login_refused'));
});

test('the last super_admin who can log in is neither disabled, demoted nor reset', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { administrators } = stage.layer;
  const ways = {
    disable: () => administrators.setEnabled(admin, 'admin', false, stage.asked()),
    demote: () =>
      administrators.setRole(admin, 'admin', { role: 'auditor', tenant: undefined }, stage.asked()),
    reset: () => administrators.resetPassword({ ...admin, name: 'bob' }, 'admin', stage.asked()),
  };
  for (const way of Object.values(ways)) await assert.rejects(way(), hasCode('entity_version_conflict'));
  // One who has never logged in does not count: his one-time password may be lost.
  const { oneTimePassword } = await create(stage, admin, { name: 'bob' });
  for (const way of Object.values(ways)) await assert.rejects(way(), hasCode('entity_version_conflict'));
  await stage.login('bob', oneTimePassword, { newPassword: passwords.second });
  assert.equal((await ways.disable()).state, 'disabled');
  const bob = { ...admin, name: 'bob' };
  await assert.rejects(
    administrators.setEnabled(bob, 'bob', false, stage.asked()),
    hasCode('entity_version_conflict'),
  );
  await administrators.setEnabled(bob, 'admin', true, stage.asked());
  assert.equal((await ways.demote()).role, 'auditor');
});

test('a token alone does not get its own account: nobody resets the own password without the one that he has', async () => {
  await using stage = await Stage.open();
  await stage.init();
  await settle(stage);
  const { administrators } = stage.layer;
  await settle(stage, { name: 'ann', role: 'tenant_admin', tenant: 'tenants/acme' });
  for (const manager of [admin, acme]) {
    const reset = administrators.resetPassword(manager, manager.name, stage.asked());
    await assert.rejects(reset, hasCode('entity_version_conflict'));
  }
  await administrators.resetPassword({ ...admin, name: 'bob' }, 'admin', stage.asked());
});

test('one tenant takes no more than its places, by whichever way, and leaves those of others', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { administrators } = stage.layer;
  const position = { role: 'tenant_admin', tenant: 'tenants/acme' } as const;
  for (let count = 0; count < 100; count++) await create(stage, acme, { name: `a${count}`, ...position });
  await assert.rejects(create(stage, acme, { name: 'more', ...position }), hasCode('entity_limit_reached'));
  await create(stage, admin, { name: 'bob', ...position, tenant: 'tenants/other' });
  const move = administrators.setRole(admin, 'bob', position, stage.asked());
  await assert.rejects(move, hasCode('entity_limit_reached'));
  await administrators.setRole(admin, 'a1', position, stage.asked());
  await create(stage, admin, { name: 'carl' });
});

test('two who disable each other at the same moment leave one of them', async () => {
  await using stage = await Stage.open();
  await stage.init();
  await settle(stage);
  const { administrators } = stage.layer;
  const results = await Promise.allSettled([
    administrators.setEnabled(admin, 'bob', false, stage.asked()),
    administrators.setEnabled({ ...admin, name: 'bob' }, 'admin', false, stage.asked()),
  ]);
  assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
});

test('disabling, another role and a reset end the sessions of that administrator and of nobody else', async () => {
  await using stage = await Stage.open();
  const { token: mine } = await stage.init();
  const { administrators } = stage.layer;
  const changes: readonly (() => Promise<unknown>)[] = [
    () => administrators.setEnabled(admin, 'bob', false, stage.asked()),
    () => administrators.setRole(admin, 'bob', { role: 'super_admin', tenant: undefined }, stage.asked()),
    () => administrators.resetPassword(admin, 'bob', stage.asked()),
  ];
  await settle(stage, { role: 'auditor' });
  for (const change of changes) {
    const { token } = await stage.login('bob', passwords.second);
    const administration = stage.authenticate(token);
    stage.layer.port.assertStill(administration);
    await change();
    assert.throws(() => stage.authenticate(token), hasCode('session_required'));
    assert.throws(() => stage.layer.port.assertStill(administration), hasCode('session_required'));
    await administrators.setEnabled(admin, 'bob', true, stage.asked());
  }
  assert.equal(stage.authenticate(mine).name, 'admin');
  await assert.rejects(stage.login('bob', passwords.second), hasCode('login_refused'));
});

test('a tenant_admin makes and changes tenant roles of the same tenant, and nobody else is there for him', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { administrators } = stage.layer;
  await settle(stage, { name: 'ann', role: 'tenant_admin', tenant: 'tenants/acme' });
  await settle(stage, { name: 'other', role: 'tenant_admin', tenant: 'tenants/acmecorp' });
  await create(stage, acme, { name: 'carl', role: 'tenant_admin', tenant: 'tenants/acme' });
  const refusals: readonly Partial<NewAdministrator>[] = [
    { role: 'super_admin' },
    { role: 'auditor' },
    { role: 'emergency_admin' },
    { role: 'tenant_admin', tenant: 'tenants/acmecorp' },
    { role: 'tenant_admin', tenant: 'tenants' },
    { role: 'tenant_admin', tenant: 'tenants/acme/below' },
  ];
  for (const wanted of refusals)
    await assert.rejects(create(stage, acme, { name: 'dan', ...wanted }), hasCode('access_unauthorized'));
  for (const name of ['admin', 'other', 'nobody']) {
    const asked = stage.asked();
    await assert.rejects(administrators.get(name, acme.tenant), hasCode('api_not_found'));
    await assert.rejects(administrators.setEnabled(acme, name, false, asked), hasCode('api_not_found'));
    await assert.rejects(administrators.resetPassword(acme, name, asked), hasCode('api_not_found'));
    const position = { role: 'tenant_admin', tenant: 'tenants/acme' } as const;
    await assert.rejects(administrators.setRole(acme, name, position, asked), hasCode('api_not_found'));
  }
  const raised = { role: 'super_admin', tenant: undefined } as const;
  await assert.rejects(
    administrators.setRole(acme, 'carl', raised, stage.asked()),
    hasCode('access_unauthorized'),
  );
  assert.deepEqual(
    (await administrators.list(acme.tenant)).map(({ name }) => name),
    ['ann', 'carl'],
  );
  assert.equal((await administrators.list(undefined)).length, 4);
});

test('an auditor, an emergency_admin and whoever has no tenant give nothing', async () => {
  await using stage = await Stage.open();
  await stage.init();
  for (const role of ['auditor', 'emergency_admin', 'tenant_admin'] as const)
    await assert.rejects(
      create(stage, { name: 'x', role, tenant: undefined }, { role: 'auditor' }),
      hasCode('access_unauthorized'),
    );
});

test('a tenant is a path in its one spelling, for a tenant_admin alone, and never one of the system', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { administrator } = await create(stage, admin, { role: 'tenant_admin', tenant: '/tenants/acme/' });
  assert.equal(administrator.tenant, 'tenants/acme');
  const wrong: readonly Partial<NewAdministrator>[] = [
    { role: 'tenant_admin' },
    { role: 'super_admin', tenant: 'tenants/acme' },
    { role: 'auditor', tenant: 'tenants/acme' },
    { role: 'tenant_admin', tenant: 'spike' },
    { role: 'tenant_admin', tenant: 'spike/system/acl' },
    { role: 'tenant_admin', tenant: 'tenants/../spike' },
    { role: 'tenant_admin', tenant: 'tenants//acme' },
    { role: 'tenant_admin', tenant: '' },
    { spiffeId: 'spiffe://spike.ist/app' },
    { spiffeId: 'spiffe://elsewhere.org/spike/pilot/role/superuser' },
    { spiffeId: 'spiffe://spike.ist/spike/pilot/role/superuserx' },
    { spiffeId: 'no id' },
  ];
  for (const wanted of wrong)
    await assert.rejects(create(stage, admin, { name: 'eve', ...wanted }), hasCode('data_invalid_input'));
  await create(stage, admin, { name: 'eve', spiffeId: `${root}/eve` });
});

test('a name is taken once, in one alphabet without look-alikes', async () => {
  await using stage = await Stage.open();
  await stage.init();
  await create(stage, admin, { name: 'bob' });
  await assert.rejects(create(stage, admin, { name: 'bob' }), hasCode('entity_version_conflict'));
  for (const good of ['a', 'ann.lee', 'x-1_2', 'a'.repeat(64)]) assert.equal(normalizeName(good), good);
  assert.equal(normalizeName('ａdmin'), 'admin', 'full width is the same letter');
  for (const bad of [
    '',
    'Admin',
    '-a',
    'a.',
    'a b',
    'аdmin',
    'admin\u0000',
    'admin\u200b',
    'a/b',
    'ädmin',
    'a'.repeat(65),
    'adm\u0131n',
    "a'b",
    'a$b',
  ])
    assert.equal(normalizeName(bad), undefined, JSON.stringify(bad));
});

test('a shared SPIFFE ID shows, and so does who issued a password', async () => {
  await using stage = await Stage.open();
  await stage.init();
  assert.deepEqual(stage.layer.overview().weaklyBound, []);
  await create(stage, admin, { name: 'bob' });
  await create(stage, admin, { name: 'eve', spiffeId: `${root}/eve` });
  assert.deepEqual(stage.layer.overview().weaklyBound, ['admin', 'bob']);
  const view = await stage.layer.administrators.get('eve', undefined);
  assert.deepEqual([view.sharesId, view.issuedBy, view.createdBy], [false, 'admin', 'admin']);
  assert.ok(!('password' in view) && !('earlier' in view));
});

test('a store that fails changes nothing, and one whose answer is lost is read again', async () => {
  await using stage = await Stage.open();
  await stage.init();
  await settle(stage, { role: 'auditor' });
  const disable = () => stage.layer.administrators.setEnabled(admin, 'bob', false, stage.asked());
  const { token } = await stage.login('bob', passwords.second);
  stage.store.faults.push('before');
  await assert.rejects(disable(), hasCode('store_failed'));
  assert.equal(stage.authenticate(token).name, 'bob');
  stage.store.faults.push('stalled');
  await assert.rejects(disable(), hasCode('store_failed'));
  await stage.store.release();
  assert.equal(stage.authenticate(token).name, 'bob', 'a later transaction has made it void');
  stage.store.faults.push('after');
  stage.store.failingReads = 2;
  await assert.rejects(disable(), hasCode('store_failed'));
  await assert.rejects(stage.login('bob', passwords.second), hasCode('login_refused'));
  assert.throws(() => stage.authenticate(token), hasCode('session_required'));
  assert.equal((await stage.layer.administrators.get('bob', undefined)).state, 'disabled');
});
