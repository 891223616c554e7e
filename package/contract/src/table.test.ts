import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Route } from './define.ts';
import { keeperTable, nexusTable } from './table.ts';

function describe(route: Route): string {
  const { guard } = route;
  const who =
    guard.kind === 'role'
      ? guard.anyOf.join(' or ')
      : guard.kind === 'anyPeer'
        ? `anyone, because ${guard.because}`
        : `${guard.action} ${guard.kind === 'listing' ? 'anywhere or at' : 'at'} ${'on' in guard ? `its ${guard.on}` : guard.at}`;
  const key = route.action === '' ? route.path : `${route.path}?action=${route.action}`;
  return `${key}: ${who}, ${route.need}, ${route.audit}`;
}

// Whoever changes who may do what changes these lines, and a reviewer sees it.
void test('these are the guards of Nexus', () => {
  assert.deepEqual(Object.values(nexusTable).map(describe), [
    '/v1/store/secrets: write at its path, unlocked, secret.put',
    '/v1/store/secrets?action=get: read at its path, unlocked, secret.get',
    '/v1/store/secrets?action=delete: write at its path, unlocked, secret.delete',
    '/v1/store/secrets?action=list: list anywhere or at spike/system/secret, unlocked, secret.list',
    '/v1/acl/policy: write at spike/system/acl, unlocked, policy.put',
    '/v1/acl/policy?action=get: read at spike/system/acl, unlocked, policy.get',
    '/v1/acl/policy?action=delete: write at spike/system/acl, unlocked, policy.delete',
    '/v1/acl/policy?action=list: list at spike/system/acl, unlocked, policy.list',
    '/v1/bootstrap/verify: bootstrap, ceremony, bootstrap.verify',
    '/v1/bootstrap/verify?action=begin: bootstrap, any, bootstrap.begin',
    '/v1/operator/recover: recover, unlocked, operator.recover',
    '/v1/operator/restore: restore, any, operator.restore',
    '/v1/operator/status: superuser or recover or restore, any, operator.status',
  ]);
});

void test('these are the guards of a Keeper', () => {
  assert.deepEqual(Object.values(keeperTable).map(describe), [
    '/v1/store/contribute: nexus or bootstrap, any, share.contribute',
    '/v1/store/shard: nexus, any, share.fetch',
    '/v1/store/status: nexus, any, share.status',
  ]);
});

for (const [name, table] of Object.entries({ nexus: nexusTable, keeper: keeperTable })) {
  void test(`no two routes of ${name} have the same key, and none the same name in the audit`, () => {
    const routes = Object.values(table);
    assert.equal(new Set(routes.map(({ path, action }) => `${path}?${action}`)).size, routes.length);
    assert.equal(new Set(routes.map(({ audit }) => audit)).size, routes.length);
  });

  void test(`every route of ${name} has limits`, () => {
    for (const { limits } of Object.values(table)) {
      assert.ok(limits.requestBytes > 0 && limits.requestBytes <= 1024 * 1024);
      assert.ok(limits.deadlineMs > 0 && limits.responseBytes > 0);
    }
  });
}

void test('failures have the zero fields that the original sends', () => {
  const zero = (route: Route): string => JSON.stringify(route.error.zero);
  assert.equal(zero(nexusTable.putSecret), '{}');
  assert.equal(zero(nexusTable.getSecret), '{"data":null}');
  assert.equal(zero(nexusTable.listSecrets), '{"keys":null}');
  assert.equal(zero(nexusTable.listPolicies), '{"policies":null}');
  assert.equal(zero(nexusTable.verifyBootstrap), '{"hash":""}');
  assert.equal(zero(nexusTable.recover), '{"shards":null}');
  assert.equal(zero(nexusTable.restore), '{"collected":0,"remaining":0,"restored":false}');
  assert.equal(zero(keeperTable.fetchShare), '{"shard":null}');
  assert.equal(keeperTable.fetchShare.error.field, 'Err');
});
