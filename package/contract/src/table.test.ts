import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Route } from './define.ts';
import { keeperTable, nexusTable } from './table.ts';

function describe(route: Route): string {
  const { guard } = route;
  const key = route.action === '' ? route.path : `${route.path}?action=${route.action}`;
  return `${key}: ${whoOf(guard)}, ${route.need}, ${route.audit}`;
}

function whoOf(guard: Route['guard']): string {
  switch (guard.kind) {
    case 'role':
      return guard.anyOf.join(' or ');
    case 'anyPeer':
      return `anyone, because ${guard.because}`;
    case 'session':
      return 'an administrator for himself';
    case 'administrator':
      return [...(guard.roles ?? []), `an administrator with ${guard.privilege}`].join(' or ');
    case 'listing':
      return `${guard.action} anywhere or at ${guard.at} or ${guard.privilege}`;
    case 'policy': {
      const place = 'on' in guard ? `its ${guard.on}` : guard.at;
      const roles = 'roles' in guard ? ` or ${guard.roles?.join(' or ')}` : '';
      return `${guard.action} at ${place}${roles} or ${guard.privilege}`;
    }
  }
}

// Whoever changes who may do what changes these lines, and a reviewer sees it.
void test('these are the guards of Nexus', () => {
  assert.deepEqual(Object.values(nexusTable).map(describe), [
    '/v1/store/secrets: write at its path or secret.write, unlocked, secret.put',
    '/v1/store/secrets?action=get: read at its path or secret.read, unlocked, secret.get',
    '/v1/store/secrets?action=delete: write at its path or secret.write, unlocked, secret.delete',
    '/v1/store/secrets?action=undelete: write at its path or secret.write, unlocked, secret.undelete',
    '/v1/store/secrets?action=destroy: write at its path or secret.write, unlocked, secret.destroy',
    '/v1/store/secrets?action=list: list anywhere or at spike/system/secret or secret.list, unlocked, secret.list',
    '/v1/store/secrets/metadata?action=get: read at its path or secret.metadata, unlocked, metadata.get',
    '/v1/store/secrets/metadata?action=set: write at its path or secret.write, unlocked, metadata.set',
    '/v1/acl/policy: write at spike/system/acl or policy.write, unlocked, policy.put',
    '/v1/acl/policy?action=get: read at spike/system/acl or policy.read, unlocked, policy.get',
    '/v1/acl/policy?action=delete: write at spike/system/acl or policy.write, unlocked, policy.delete',
    '/v1/acl/policy?action=list: list at spike/system/acl or policy.read, unlocked, policy.list',
    '/v1/cipher/encrypt: execute at spike/system/cipher/exec or lite or cipher.use, unlocked, cipher.encrypt',
    '/v1/cipher/decrypt: execute at spike/system/cipher/exec or lite or cipher.use, unlocked, cipher.decrypt',
    '/v1/bootstrap/verify: bootstrap, ceremony, bootstrap.verify',
    '/v1/bootstrap/verify?action=begin: bootstrap, any, bootstrap.begin',
    '/v1/operator/recover: recover, unlocked, operator.recover',
    '/v1/operator/restore: restore, any, operator.restore',
    '/v1/operator/status: superuser or recover or restore, any, operator.status',
    '/v1/operator/status?action=history: an administrator with status.read, unlocked, operator.history',
    '/v1/operator/alert?action=list: an administrator with alert.read, unlocked, alert.list',
    '/v1/operator/alert?action=get: an administrator with alert.read, unlocked, alert.get',
    '/v1/operator/alert?action=acknowledge: an administrator with alert.acknowledge, unlocked, alert.acknowledge',
    '/v1/admin/init: superuser, unlocked, init',
    '/v1/admin/login: superuser, restoring, login',
    '/v1/admin/logout: an administrator for himself, restoring, logout',
    '/v1/admin/password: an administrator for himself, unlocked, password.change',
    '/v1/admin/token?action=self: an administrator for himself, unlocked, token.show',
    '/v1/admin/token?action=renew: an administrator for himself, unlocked, token.renew',
    '/v1/admin/token?action=list: an administrator with token.read, unlocked, token.list',
    '/v1/admin/token?action=get: an administrator with token.read, unlocked, token.get',
    '/v1/admin/token?action=revoke: an administrator with token.revoke, unlocked, token.revoke',
    '/v1/admin/administrator: an administrator with administrator.write, unlocked, administrator.create',
    '/v1/admin/administrator?action=list: an administrator with administrator.read, unlocked, administrator.list',
    '/v1/admin/administrator?action=get: an administrator with administrator.read, unlocked, administrator.get',
    '/v1/admin/administrator?action=disable: an administrator with administrator.write, unlocked, administrator.disable',
    '/v1/admin/administrator?action=enable: an administrator with administrator.write, unlocked, administrator.enable',
    '/v1/admin/administrator?action=set-role: an administrator with administrator.write, unlocked, administrator.set-role',
    '/v1/admin/administrator?action=reset-password: an administrator with administrator.write, unlocked, administrator.reset-password',
    '/v1/backup?action=begin: an administrator with backup.create, unlocked, backup.begin',
    '/v1/backup?action=read: an administrator with backup.create, unlocked, backup.read',
    '/v1/backup?action=end: an administrator with backup.create, unlocked, backup.create',
    '/v1/backup?action=cancel: an administrator with backup.create, unlocked, backup.cancel',
    '/v1/backup?action=list: an administrator with backup.read, restoring, backup.list',
    '/v1/backup?action=open: an administrator with backup.read, restoring, backup.open',
    '/v1/backup?action=feed: an administrator with backup.read, restoring, backup.feed',
    '/v1/backup?action=share: an administrator with backup.restore, restoring, backup.share',
    '/v1/backup?action=start: an administrator with backup.restore, restoring, backup.restore.begin',
    '/v1/backup?action=finish: an administrator with backup.restore, restoring, backup.restore',
    '/v1/backup?action=abort: an administrator with backup.restore, restoring, backup.abort',
    '/v1/audit?action=tail: an administrator with audit.read, unlocked, audit.tail',
    '/v1/audit?action=search: an administrator with audit.read, unlocked, audit.search',
    '/v1/audit?action=checkpoint: an administrator with audit.read, unlocked, audit.checkpoint',
    '/v1/audit?action=prove: an administrator with audit.read, unlocked, audit.prove',
    '/v1/audit?action=consistency: an administrator with audit.read, unlocked, audit.consistency',
    '/v1/audit?action=export: an administrator with audit.read, unlocked, audit.export',
    '/v1/audit?action=key: an administrator with audit.read, unlocked, audit.key.read',
    '/v1/audit?action=rotate: an administrator with audit.rotate, unlocked, audit.key.rotate',
    '/v1/audit?action=review: an administrator with audit.read, unlocked, audit.review.read',
    '/v1/audit?action=reviewed: an administrator with audit.review, unlocked, audit.review',
    '/v1/audit?action=verify: an administrator with audit.read, unlocked, audit.verify',
    '/v1/reset?action=explain: an administrator with reset.explain, unlocked, reset.explain',
    '/v1/reset?action=print: an administrator with reset.print, unlocked, reset.print',
    '/v1/reset?action=key: an administrator with reset.explain, unlocked, reset.key',
    '/v1/operator/password: recover, unlocked, operator.password',
    '/v1/approval?action=list: recover or an administrator with approval.read, unlocked, approval.list',
    '/v1/approval?action=get: recover, unlocked, approval.get',
    '/v1/approval?action=answer: recover, unlocked, approval.answer',
    '/v1/approval?action=recover: an administrator with approval.give, unlocked, approval.recover',
    '/v1/breakglass?action=open: an administrator with breakglass.open, unlocked, breakglass.open',
    '/v1/breakglass?action=approve: an administrator with breakglass.decide, unlocked, breakglass.approve',
    '/v1/breakglass?action=cancel: an administrator with breakglass.decide, unlocked, breakglass.cancel',
    '/v1/breakglass?action=close: an administrator with breakglass.open, unlocked, breakglass.close',
    '/v1/breakglass?action=list: an administrator with breakglass.read, unlocked, breakglass.list',
    '/v1/breakglass?action=report: an administrator with breakglass.read, unlocked, breakglass.report',
    '/v1/deny: an administrator with deny.write, unlocked, deny.put',
    '/v1/deny?action=list: an administrator with deny.read, unlocked, deny.list',
    '/v1/deny?action=lift: an administrator with deny.write, unlocked, deny.lift',
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
      assert.ok(limits.requestBytes > 0 && limits.requestBytes <= 7 * 1024 * 1024);
      assert.ok(limits.deadlineMs > 0 && limits.responseBytes > 0);
    }
  });
}

void test('failures have the zero fields that the original sends', () => {
  const zero = (route: Route): string => JSON.stringify(route.error.zero);
  assert.equal(zero(nexusTable.putSecret), '{}');
  assert.equal(zero(nexusTable.getSecret), '{"data":null}');
  assert.equal(zero(nexusTable.listSecrets), '{"keys":null}');
  assert.equal(
    zero(nexusTable.getMetadata),
    '{"metadata":{"currentVersion":0,"oldestVersion":0,"createdTime":"0001-01-01T00:00:00Z","updatedTime":"0001-01-01T00:00:00Z","maxVersions":0}}',
  );
  assert.equal(zero(nexusTable.listPolicies), '{"policies":null}');
  assert.equal(zero(nexusTable.encrypt), '{"version":0,"nonce":null,"ciphertext":null}');
  assert.equal(zero(nexusTable.decrypt), '{"plaintext":null}');
  assert.equal(zero(nexusTable.verifyBootstrap), '{"hash":""}');
  assert.equal(zero(nexusTable.recover), '{"shards":null}');
  assert.equal(zero(nexusTable.restore), '{"collected":0,"remaining":0,"restored":false}');
  assert.equal(zero(keeperTable.fetchShare), '{"shard":null}');
  assert.equal(keeperTable.fetchShare.error.field, 'Err');
});

void test('the SVID of a superuser alone opens what comes before a session, and nothing else', () => {
  const alone = Object.entries(nexusTable)
    .filter(([, { guard }]: [string, Route]) =>
      guard.kind === 'role' ? guard.anyOf.includes('superuser') : guard.kind === 'anyPeer',
    )
    .map(([name]) => name);
  assert.deepEqual(alone, ['status', 'initialize', 'login']);
});
