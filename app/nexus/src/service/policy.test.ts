import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { openMemoryStore, type Op } from '@spike/store';
import type { PolicyInput } from '../policy/policy.ts';
import { MemoryAlerts } from '../alert/testing/sink.ts';
import { rootTenant } from '../policy/tenant.ts';
import type { Ledger } from '../vault/port.ts';
import { FaultyStore } from '../vault/testing/faulty-store.ts';
import { createTestInstance, hasCode, openTestLedger } from '../vault/testing/instance.ts';
import { PolicyService } from './policy.ts';
import { encodePolicy } from './policy-record.ts';
import { createClock, grantSystem, operator } from './testing/grant.ts';

const grant = grantSystem();
const limits = { all: 6, ofTenant: 3 };
const peer = 'spiffe://spike.ist/web';

function input(change: Partial<PolicyInput> = {}): PolicyInput {
  return {
    name: 'web',
    spiffePattern: '^spiffe://spike.ist/web$',
    pathPattern: '^tenants/acme/.*$',
    permissions: ['read'],
    ...change,
  };
}

async function openService() {
  const made = await createTestInstance();
  const ledger = await openTestLedger(made);
  const { vault } = made.instance;
  const service = await PolicyService.load({ limits, vault, ledger, now: createClock() });
  return { made, ledger, vault, service, reload: () => PolicyService.load({ limits, vault, ledger }) };
}

test('a policy holds from the moment that its commit is answered, and after a start', async () => {
  const { service, reload } = await openService();
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, false);
  assert.deepEqual(await service.put(grant, input()), { warnings: [] });
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, true);
  const again = await reload();
  assert.deepEqual(again.engine.decide(peer, 'read', 'tenants/acme/db'), { allowed: true, policy: 'web' });
  assert.deepEqual(await again.get(grant, 'web'), await service.get(grant, 'web'));
});

test('an upsert replaces patterns and permissions, and keeps the time of creation', async () => {
  const { service } = await openService();
  await service.put(grant, input());
  const first = await service.get(grant, 'web');
  await service.put(grant, input({ pathPattern: '^other$', permissions: ['write', 'list'] }));
  const second = await service.get(grant, 'web');
  assert.equal(second.createdAt, first.createdAt);
  assert.ok(second.updatedAt > first.updatedAt);
  assert.deepEqual(
    [second.pathPattern, second.permissions, second.tenant],
    ['^other$', ['write', 'list'], rootTenant],
  );
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, false);
  assert.equal(service.engine.decide(peer, 'list', 'other').allowed, true);
});

test('a policy that is deleted is gone for decisions, for readers and after a start', async () => {
  const { service, reload } = await openService();
  await service.put(grant, input());
  await service.delete(grant, 'web');
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, false);
  await assert.rejects(service.get(grant, 'web'), hasCode('api_not_found'));
  await assert.rejects(service.delete(grant, 'web'), hasCode('api_not_found'));
  assert.equal((await reload()).engine.size, 0);
  await service.put(grant, input());
  assert.equal((await service.list(grant)).length, 1);
});

test('a refused policy changes nothing', async () => {
  const { service } = await openService();
  for (const bad of [
    { name: 'a/b' },
    { pathPattern: '(' },
    { spiffePattern: '.*' },
    { permissions: [] },
    { pathPattern: 'acl' },
  ]) {
    await assert.rejects(service.put(grant, input(bad)), hasCode('data_invalid_input'));
  }
  await assert.rejects(service.get(grant, 'a/b'), hasCode('data_invalid_input'));
  assert.deepEqual(await service.list(grant), []);
});

test('a pattern that the original reads otherwise is stored with a warning', async () => {
  const { service } = await openService();
  const { warnings } = await service.put(grant, input({ pathPattern: 'tenants/acme' }));
  assert.equal(warnings.length, 1);
  assert.equal((await service.list(grant)).length, 1);
});

test('list filters compare the stored pattern exactly, and the one for SPIFFE IDs wins', async () => {
  const { service } = await openService();
  await service.put(grant, input({ name: 'b' }));
  await service.put(grant, input({ name: 'a', pathPattern: '^x$' }));
  await service.put(grant, input({ name: 'c', spiffePattern: '^spiffe://spike.ist/c$' }));
  const names = async (filter: Parameters<PolicyService['list']>[1]): Promise<string[]> =>
    (await service.list(grant, filter)).map((record) => record.name);
  assert.deepEqual(await names({ spiffePattern: '', pathPattern: '' }), ['a', 'b', 'c']);
  assert.deepEqual(await names({ pathPattern: '^x$' }), ['a']);
  assert.deepEqual(await names({ spiffePattern: '^spiffe://spike.ist/web$' }), ['a', 'b']);
  assert.deepEqual(await names({ spiffePattern: '^spiffe://spike.ist/c$', pathPattern: '^x$' }), ['c']);
  assert.deepEqual(await names({ pathPattern: 'x' }), []);
});

test('a policy in the place of another, of a tenant, or that does not open stops the start', async () => {
  const { service, ledger, vault, reload } = await openService();
  await service.put(grant, input());
  const key = vault.key('policy', [rootTenant, 'web']);
  const row = await ledger.get('policy', key);
  assert.ok(row !== undefined);
  const record = { ...(await service.get(grant, 'web')), tenant: 'acme' };
  const foreign = vault.seal('policy', key, { revision: 2, version: 0, field: 0 }, encodePolicy(record));
  await ledger.commit([{ kind: 'put', table: 'policy', row: foreign, expect: 'any' }]);
  await assert.rejects(reload(), hasCode('store_integrity'));
  const unknown = vault.seal(
    'policy',
    key,
    { revision: 3, version: 0, field: 0 },
    Buffer.from([9, 123, 125]),
  );
  await ledger.commit([{ kind: 'put', table: 'policy', row: unknown, expect: 'any' }]);
  await assert.rejects(reload(), hasCode('store_integrity'));
  const moved = vault.seal(
    'policy',
    vault.key('policy', [rootTenant, 'other']),
    { revision: 1, version: 0, field: 0 },
    encodePolicy({ ...record, tenant: rootTenant, name: 'else' }),
  );
  await ledger.commit([
    { kind: 'delete', table: 'policy', key, expect: 'any' },
    { kind: 'put', table: 'policy', row: moved, expect: 'any' },
  ]);
  await assert.rejects(reload(), hasCode('store_integrity'));
  await ledger.commit([{ kind: 'delete', table: 'policy', key: moved.key, expect: 'any' }]);
  assert.equal((await reload()).engine.size, 0);
});

test('after a commit of unknown outcome decisions follow the store, as soon as it can be read', async () => {
  const { ledger, vault, service: seeded } = await openService();
  await seeded.put(grant, input());
  let failing: 'none' | 'answer' | 'commit' | 'all' = 'none';
  const shaky: Ledger = {
    revision: 0,
    get: (table, key) => (failing === 'all' ? Promise.reject(lost()) : ledger.get(table, key)),
    list: (table, prefix, options) => ledger.list(table, prefix, options),
    commit: async (ops: readonly Op[]) => {
      await ledger.commit(ops);
      if (failing === 'commit') failing = 'all';
      if (failing !== 'none') throw lost();
    },
    recorded: () => undefined,
    settled: true,
  };
  const service = await PolicyService.load({ limits, vault, ledger: shaky });
  failing = 'answer';
  await assert.rejects(service.put(grant, input({ pathPattern: '^late$' })), hasCode('store_failed'));
  assert.equal(service.engine.decide(peer, 'read', 'late').allowed, true);
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, false);
  failing = 'commit';
  await assert.rejects(service.delete(grant, 'web'), hasCode('store_failed'));
  await assert.rejects(service.list(grant), hasCode('store_failed'));
  failing = 'none';
  assert.deepEqual(await service.list(grant), []);
  assert.equal(service.engine.decide(peer, 'read', 'late').allowed, false);
});

test('decisions follow a commit that a stalled disk makes after all', async () => {
  const made = await createTestInstance(new FaultyStore(openMemoryStore()));
  const { store } = made;
  assert.ok(store instanceof FaultyStore);
  const settled = Promise.withResolvers<void>();
  const late = (): void => void service.settle().then(settled.resolve, settled.reject);
  const ledger = await openTestLedger(made, { late });
  const service = await PolicyService.load({ limits, vault: made.instance.vault, ledger });
  await service.put(grant, input());
  store.faults.push('stalled');
  const record = { trail: 't', record: '{}' };
  await assert.rejects(service.delete(grant, 'web', { record }), hasCode('store_failed'));
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, true);
  await store.release();
  await service.put(grant, input({ name: 'other', pathPattern: '^o$' }));
  await settled.promise;
  assert.equal(service.engine.decide(peer, 'read', 'tenants/acme/db').allowed, false);
});

test('policies of one name that are written at once all succeed, and the store agrees with the decisions', async () => {
  const { service, reload } = await openService();
  await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      service.put(grant, input({ pathPattern: `^n/${String(index)}$` })),
    ),
  );
  const stored = await reload();
  assert.deepEqual(await stored.list(grant), await service.list(grant));
  assert.equal(service.engine.size, 1);
});

function lost(): SpikeError {
  return new SpikeError('store_failed', 'the disk is gone', { detail: { outcome: 'unknown' } });
}

test('a policy of a tenant counts below its prefix alone, segment by segment, whatever its pattern says', async () => {
  const { service, reload } = await openService();
  const acme = grantSystem(['tenants', 'acme']);
  await service.put(acme, input({ pathPattern: '^.*$', spiffePattern: '^spiffe://spike\\.ist/web$' }));
  for (const { engine } of [service, await reload()]) {
    const decide = (path: string) => engine.decide(peer, 'read', path).allowed;
    for (const path of ['tenants/acme', 'tenants/acme/db', 'tenants/acme/a/b']) assert.ok(decide(path), path);
    // The audit says whose policy it was: a tenant's may be called like one of everybody's.
    assert.equal(engine.decide(peer, 'read', 'tenants/acme/db').policy, 'tenants/acme/web');
    for (const path of ['tenants/acmes/db', 'tenants/ac', 'tenants', 'other', 'spike/system/secret'])
      assert.ok(!decide(path), path);
  }
});

test('names are unique within a tenant, and a tenant_admin neither sees nor touches those of others', async () => {
  const { service } = await openService();
  const acme = grantSystem(['tenants', 'acme']);
  const other = grantSystem(['tenants', 'other']);
  await service.put(grant, input({ permissions: ['list'] }));
  await service.put(acme, input());
  await service.put(other, input({ pathPattern: '^tenants/other/.*$', permissions: ['write'] }));
  assert.deepEqual(
    (await service.list(grant)).map(({ tenant }) => tenant),
    [rootTenant, 'tenants/acme', 'tenants/other'],
  );
  assert.deepEqual(
    (await service.list(acme)).map(({ tenant }) => tenant),
    ['tenants/acme'],
  );
  assert.deepEqual((await service.get(other, 'web')).permissions, ['write']);
  assert.deepEqual((await service.get(grant, 'web', { tenant: 'tenants/acme' })).permissions, ['read']);
  const foreign = { tenant: 'tenants/other' };
  await assert.rejects(service.get(acme, 'web', foreign), hasCode('access_unauthorized'));
  await assert.rejects(service.delete(acme, 'web', foreign), hasCode('access_unauthorized'));
  await assert.rejects(service.put(acme, { ...input(), ...foreign }), hasCode('access_unauthorized'));
  await assert.rejects(service.get(grantSystem(['tenants']), 'web'), hasCode('api_not_found'));
  await service.delete(acme, 'web');
  assert.equal((await service.list(grant)).length, 2);
});

test('a tenant_admin gives no super, and a tenant neither lies within spike/system nor around it', async () => {
  const { service } = await openService();
  const permissions = ['super'];
  const acme = grantSystem(['tenants', 'acme']);
  await assert.rejects(service.put(acme, input({ permissions })), hasCode('access_unauthorized'));
  await service.put(grant, input({ permissions }));
  for (const tenant of ['spike', 'spike/system', 'spike/system/acl', 'a//b', '..', ''])
    await assert.rejects(service.put(grant, { ...input(), tenant }), hasCode('data_invalid_input'), tenant);
  await service.put(grant, { ...input(), tenant: '/tenants/acme/' });
  assert.equal((await service.get(acme, 'web')).tenant, 'tenants/acme');
});

test('a policy that lets through more is told of by name, with who did it, once it is committed', async () => {
  const { vault, ledger } = await openService();
  const alerts = new MemoryAlerts();
  const service = await PolicyService.load({ limits, vault, ledger, alerts, now: createClock() });
  await service.put(grant, input());
  await service.put(grant, input({ permissions: ['read', 'write'] }));
  await service.put(grant, input({ pathPattern: '^tenants/acme/db/.*$' }));
  await service.delete(grant, 'web');
  await assert.rejects(service.put(grant, input({ permissions: ['none'] })));
  assert.deepEqual(
    alerts.raised.map(({ kind, subject, message, detail }) => [
      kind,
      subject,
      message.split(': ')[1],
      detail,
    ]),
    [
      ['policy_widened', 'web', 'it is new', { by: operator }],
      ['policy_widened', 'web', 'it gives write, too', { by: operator }],
    ],
  );
});

test('there are at most so many policies, and so many of one tenant; those that are there can be changed and deleted', async () => {
  const { service, reload } = await openService();
  const acme = grantSystem(['tenants', 'acme']);
  const full = hasCode('entity_limit_reached');
  const named = (name: string) => input({ name });
  // All at once: whoever is on the way has a place, too.
  const made = await Promise.allSettled(
    ['a', 'b', 'c', 'd', 'e'].map((name) => service.put(acme, named(name))),
  );
  assert.equal(made.filter(({ status }) => status === 'fulfilled').length, limits.ofTenant);
  for (const result of made) if (result.status === 'rejected') assert.ok(full(result.reason));
  await service.put(acme, input({ name: 'a', permissions: ['list'] }));
  for (const name of ['x', 'y', 'z']) await service.put(grant, named(name));
  await assert.rejects(service.put(grant, named('w')), full);
  await assert.rejects(service.put(grantSystem(['tenants', 'other']), named('w')), full);
  assert.equal((await service.list(grant)).length, limits.all);
  // As many as there are after a start with lower limits, or a restore.
  const again = await reload();
  await service.delete(grant, 'x');
  await service.put(grant, named('w'));
  await assert.rejects(again.put(grant, named('v')), full);
});
