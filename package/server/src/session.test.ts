import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  formatRequest,
  nexusTable,
  privilegeTable,
  reachOf,
  rolePaths,
  route,
  type AdministratorRole,
  type Privilege,
} from '@spike/contract';
import type { Administration } from './port.ts';
import { nexusSamples, samplePath } from './testing/sample.ts';
import { Stage } from './testing/stage.ts';

/* The second layer: a superuser comes with the session of an administrator. */

const superuser = rolePaths.superuser;
const token = 'token-of-ann';
const { putSecret, putPolicy, listSecrets, status } = nexusTable;

interface Opened {
  readonly stage: Stage;
  readonly ask: (
    name: keyof typeof nexusTable,
    options?: { readonly token?: string; readonly as?: string },
  ) => Promise<{ readonly status: number; readonly code: unknown }>;
}

function open(administrator: Partial<Administration> = {}): Opened {
  const stage = Stage.ofNexus();
  stage.sessions.give(token, stage.world.peer(superuser).id, administrator);
  return {
    stage,
    ask: async (name, { token: shown, as = superuser } = {}) => {
      const route = nexusTable[name];
      const body = formatRequest(route, nexusSamples[name].input as never);
      const { status, json } = await stage.ask(stage.world.peer(as), route.path, route.action, body, shown);
      return { status, code: json['err'] };
    },
  };
}

void suite('a superuser', () => {
  void test('is refused without a session, and served with one, under the name of its administrator', async () => {
    const { stage, ask } = open();
    assert.deepEqual(await ask('getSecret'), { status: 401, code: 'session_required' });
    assert.equal(stage.calls.length, 0);
    assert.equal((await ask('getSecret', { token })).status, 200);
    assert.equal(stage.calls[0]?.grant.administrator?.name, 'ann');
    const [refused, served] = stage.audit.records;
    assert.equal(refused?.outcome, 'denied');
    assert.equal(refused.administrator, undefined);
    assert.deepEqual([served?.administrator, served?.accessor], ['ann', token]);
  });

  void test('is refused with a token that was made for somebody else, and so is everybody else who shows it', async () => {
    const { stage, ask } = open();
    const other = `${superuser}/bob`;
    assert.deepEqual(await ask('getSecret', { token, as: other }), { status: 401, code: 'session_required' });
    stage.policies.allow(stage.world.peer('/app').id, 'read', samplePath);
    assert.equal((await ask('getSecret', { as: '/app' })).status, 200);
    assert.equal((await ask('getSecret', { token, as: '/app' })).status, 401);
    assert.equal((await ask('getSecret', { token: 'of-another-system', as: '/app' })).status, 200);
  });

  void test('whose token is shown by somebody who is denied: it is noticed, and what is answered is the denial', async () => {
    const { stage, ask } = open();
    const thief = stage.world.peer('/app').id;
    stage.gate.denied.add(thief.toString());
    assert.deepEqual(await ask('getSecret', { token, as: '/app' }), {
      status: 401,
      code: 'access_unauthorized',
    });
    assert.deepEqual(
      stage.sessions.uses.map(({ token: shown, peer }) => [shown, peer.toString()]),
      [[token, thief.toString()]],
    );
    const [record] = stage.audit.records;
    assert.deepEqual([record?.code, record?.accessor], ['identity_denied', token]);
    assert.equal((await ask('getSecret', { token: 'of-another-system', as: '/app' })).status, 401);
    assert.equal(stage.sessions.uses.length, 1);
    assert.deepEqual(stage.calls, []);
  });

  void test('may ask for status with and without a session, and not with one that has ended', async () => {
    const { stage, ask } = open();
    assert.equal(status.guard.kind, 'role');
    assert.equal((await ask('status')).status, 200);
    assert.equal(stage.calls[0]?.grant.administrator, undefined);
    assert.equal((await ask('status', { token })).status, 200);
    assert.equal(stage.calls[1]?.grant.administrator?.name, 'ann');
    stage.sessions.end(token);
    assert.deepEqual(await ask('status', { token }), { status: 401, code: 'session_required' });
  });

  void test('whose session ends while the request is under way is told so before anything is written', async () => {
    const { stage, ask } = open();
    stage.before = ({ check }) => {
      check();
      stage.sessions.end(token);
      check();
    };
    assert.deepEqual(await ask('putSecret', { token }), { status: 401, code: 'session_required' });
  });

  void test('with a token that may only read reads and does not write', async () => {
    const { ask } = open({ readOnly: true });
    assert.equal((await ask('getSecret', { token })).status, 200);
    assert.deepEqual(await ask('putSecret', { token }), { status: 401, code: 'access_unauthorized' });
    assert.equal((await ask('deletePolicy', { token })).status, 401);
  });
});

void suite('a tenant_admin', () => {
  const at = (...tenant: string[]) => open({ role: 'tenant_admin', tenant });

  void test('reaches paths below the prefix of the tenant, segment by segment', async () => {
    for (const tenant of [['tenants'], ['tenants', 'acme'], samplePath.split('/')]) {
      const { ask } = at(...tenant);
      assert.equal((await ask('getSecret', { token })).status, 200);
      assert.equal((await ask('putSecret', { token })).status, 200);
    }
    for (const tenant of [['tenant'], ['tenants', 'ac'], ['acme'], [...samplePath.split('/'), 'more']]) {
      const { ask } = at(...tenant);
      assert.equal((await ask('getSecret', { token })).status, 401);
      assert.equal((await ask('putSecret', { token })).status, 401);
    }
  });

  void test('is known to services by the tenant where the request names no path', async () => {
    const { stage, ask } = at('tenants', 'acme');
    for (const name of ['putPolicy', 'listSecrets'] as const) await ask(name, { token });
    assert.deepEqual(
      stage.calls.map(({ grant }) => 'tenant' in grant.permission && grant.permission.tenant),
      [
        ['tenants', 'acme'],
        ['tenants', 'acme'],
      ],
    );
    assert.equal(putPolicy.guard.kind, 'policy');
    assert.equal(listSecrets.guard.kind, 'listing');
  });

  void test('has no privilege but over what a service can tell tenants apart by', async () => {
    const names = Object.keys(privilegeTable) as Privilege[];
    // Who adds one here has seen to it that its routes look at the tenant of the grant.
    assert.deepEqual(
      names.filter((name) => reachOf('tenant_admin', name) !== undefined),
      [
        'secret.read',
        'secret.list',
        'secret.metadata',
        'secret.write',
        'policy.read',
        'policy.write',
        'audit.read',
        'administrator.read',
        'administrator.write',
        'token.read',
        'token.revoke',
      ],
    );
    const { ask } = at('tenants', 'acme');
    for (const name of ['listHistory', 'listAlerts', 'listBackups', 'listApprovals'] as const)
      assert.equal((await ask(name, { token })).status, 401, name);
  });

  void test('who has no tenant reaches nothing', async () => {
    const { ask } = open({ role: 'tenant_admin', tenant: undefined });
    assert.equal((await ask('getSecret', { token })).status, 401);
    assert.equal((await ask('listPolicies', { token })).status, 401);
  });
});

void test('an auditor sees names and metadata and no value', async () => {
  const { ask } = open({ role: 'auditor' });
  for (const name of ['listSecrets', 'getMetadata', 'listPolicies', 'getPolicy'] as const)
    assert.equal((await ask(name, { token })).status, 200, name);
  for (const name of ['getSecret', 'putSecret', 'setMetadata', 'putPolicy', 'encrypt', 'decrypt'] as const)
    assert.equal((await ask(name, { token })).status, 401, name);
});

void test('an emergency_admin reaches nothing until a break-glass is open', async () => {
  const closed = open({ role: 'emergency_admin' });
  const opened = open({ role: 'emergency_admin', emergency: true });
  for (const name of ['getSecret', 'putSecret', 'putPolicy', 'listHistory'] as const) {
    assert.equal((await closed.ask(name, { token })).status, 401, name);
    assert.equal((await opened.ask(name, { token })).status, 200, name);
  }
});

void test('a route for administrators alone is closed to every policy, and one for sessions to whoever has none', async () => {
  const rest = nexusTable.deletePolicy;
  const table = {
    audit: route({ ...rest, path: '/a', guard: { kind: 'administrator', privilege: 'audit.read' } }),
    own: route({ ...rest, path: '/b', guard: { kind: 'session' } }),
  };
  const sample = nexusSamples.deletePolicy;
  const stage = new Stage(table, { audit: sample, own: sample });
  const someone = stage.world.peer(superuser);
  const ask = async (path: string, as = someone, shown?: string) =>
    (await stage.ask(as, path, rest.action, sample.input, shown)).status;
  // Where the SVID alone is enough, both are a superuser's and nobody else's.
  for (const path of ['/a', '/b']) {
    assert.equal(await ask(path), 200);
    assert.equal(await ask(path, stage.world.peer('/app')), 401);
  }
  stage.sessions.give(token, someone.id, { role: 'emergency_admin', emergency: true });
  for (const path of ['/a', '/b']) assert.equal(await ask(path), 401);
  assert.equal(await ask('/a', someone, token), 401, 'a break-glass does not touch the audit');
  assert.equal(await ask('/b', someone, token), 200);
});

void test('what a break-glass gives leaves audit, administrators, approvals and recovery out', () => {
  const names = Object.keys(privilegeTable) as Privilege[];
  const given = names.filter((name) => privilegeTable[name].breakglass);
  assert.deepEqual(
    given.filter((name) => !/^(?:secret|policy|cipher)\./.test(name)),
    ['status.read'],
  );
  const values: AdministratorRole[] = ['super_admin', 'tenant_admin'];
  assert.deepEqual(
    (['super_admin', 'tenant_admin', 'auditor', 'emergency_admin'] as const).filter(
      (role) => reachOf(role, 'secret.read') !== undefined,
    ),
    values,
  );
  assert.equal(putSecret.guard.privilege, 'secret.write');
});
