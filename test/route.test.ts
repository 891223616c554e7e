import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  formatJson,
  formatRequest,
  keeperTable,
  nexusTable,
  rolePaths,
  reachOf,
  type Action,
  type AdministratorRole,
  type InputOf,
  type Role,
  type Route,
  type Table,
} from '@spike/contract';
import type { Client } from '@spike/sdk';
import { keeperSamples, nexusSamples, samplePath, type Samples } from '@spike/server/testing';
import {
  authorizeAny,
  openPool,
  SpiffeError,
  WorkloadClient,
  type IdentitySource,
  type PoolResponse,
  type TlsPool,
  type X509Context,
} from '@spike/spiffe';
import { TestAgent } from '@spike/spiffe/testing';
import { newPassword } from './admin.ts';
import { Parts } from './parts.ts';

/*
 * Every route with no, wrong and right permission, over real mTLS, from the tables: a new route is tested by being there.
 * With two layers: a superuser comes under the session of an administrator, and is judged by what that one may do.
 */

interface Administrator {
  readonly name: string;
  readonly role: AdministratorRole;
  readonly tenant?: string;
}

const roles = Object.keys(rolePaths) as Role[];
const actions: readonly Action[] = ['read', 'write', 'list', 'execute'];
const requestMs = 10_000;
/** Each with an administrator of its own, at an ID of its own. */
const administratorAt: Readonly<Record<string, Administrator>> = {
  [rolePaths.superuser]: { name: 'ada', role: 'super_admin' },
  [`${rolePaths.superuser}/ann`]: { name: 'ann', role: 'super_admin' },
  [`${rolePaths.superuser}/ted`]: { name: 'ted', role: 'tenant_admin', tenant: 'tenants/acme' },
  [`${rolePaths.superuser}/una`]: { name: 'una', role: 'tenant_admin', tenant: 'tenants/acm' },
  [`${rolePaths.superuser}/ava`]: { name: 'ava', role: 'auditor' },
  [`${rolePaths.superuser}/eve`]: { name: 'eve', role: 'emergency_admin' },
};
/** What they are about decides, too: the whole audit is no tenant's, and a new administrator is of his maker's tenant. */
const refusedWithin: Readonly<Record<string, readonly string[]>> = {
  exportAudit: ['ted', 'una'],
  reviewAudit: ['ted', 'una'],
  createAdministrator: ['una'],
};
/** Comes last: it ends the sessions that everything else is asked under. */
const last = 'logout';
/** What one who may ask is told in this state of the system; 200 unless it is here. */
const answered: Readonly<Record<string, readonly number[]>> = {
  // There is an instance already.
  beginBootstrap: [409],
  verifyBootstrap: [409],
  // There is a key already.
  restore: [400],
  // There is an administrator already.
  initialize: [409],
  // The password of the samples is nobody's; 429 when it was tried too often.
  login: [401, 429],
  changePassword: [401, 429],
  // The samples' administrator, session, approval and break-glass are of another system.
  getToken: [404],
  revokeTokens: [404],
  createAdministrator: [400],
  getAdministrator: [404],
  disableAdministrator: [404],
  enableAdministrator: [404],
  setAdministratorRole: [404],
  resetAdministratorPassword: [404],
  recoverPassword: [404],
  getApproval: [404],
  answerApproval: [404],
  openRecovery: [400],
  approveBreakglass: [404],
  cancelBreakglass: [404],
  reportBreakglass: [404],
  // The sample's end is over, and nobody is denied.
  denyIdentity: [400],
  liftDenial: [404],
  // A line of somebody else is none of a tenant's.
  proveRecord: [200, 404],
  // The sample names another instance.
  printReset: [400],
  // The samples delete what the others look for.
  getSecret: [200, 404],
  deleteSecret: [200, 404],
  undeleteSecret: [200, 404],
  destroySecret: [200, 404],
  getMetadata: [200, 404],
  setMetadata: [200, 404],
  getPolicy: [200, 404],
  deletePolicy: [200, 404],
  // The sample was encrypted by nobody.
  decrypt: [400],
  // No backup was begun, and the samples are of none.
  beginBackup: [200, 429],
  readBackup: [404],
  endBackup: [404],
  openBackup: [400, 429],
  feedBackup: [404],
  giveBackupShare: [404],
  startRestore: [404],
  finishRestore: [404],
  abortRestore: [404],
  // What Bootstrap or a Nexus of another instance brings is not taken by a Keeper with an active share.
  contributeShare: [400],
};

let parts: Parts;
let foreign: TestAgent;
let own: X509Context;
let others: X509Context;
const tokens = new Map<string, string>();

before(async () => {
  foreign = await TestAgent.open('foreign.test');
  parts = await Parts.bootstrapped({ SPIKE_NEXUS_ADMIN_AUTH: 'password' });
  const federated = foreign.issue([]).bundles;
  const workloads = Object.keys(nexusTable).flatMap((name) =>
    ['right', 'action', 'path'].map((kind) => workload(name, kind)),
  );
  const nobody = ['/workload/nobody', ...roles.map((role) => `${rolePaths[role]}x`)];
  const below = roles.map((role) => `${rolePaths[role]}/ann`);
  const known = new Set([...Object.values(rolePaths), ...workloads, ...nobody, ...below]);
  parts.agent.say(parts.agent.issue([...known.union(new Set(Object.keys(administratorAt)))], { federated }));
  foreign.say(foreign.issue(Object.values(rolePaths), { federated: parts.agent.issue([]).bundles }));
  own = await contextOf(parts.agent);
  others = await contextOf(foreign);
  await makeAdministrators();
  const ada = await parts.callNexus(rolePaths.superuser, () => tokens.get(rolePaths.superuser));
  await writePolicies(ada);
  // Recovery shares are handed out once for each time that an administrator opens it, to whom he names.
  for (const path of [rolePaths.recover, `${rolePaths.recover}/ann`])
    await ada.openRecovery({ spiffeId: `spiffe://parts.test${path}` });
  await parts.reachHoldingBy(ada, 1, 2, 3);
});
after(async () => {
  for (const pool of pools.values()) pool[Symbol.dispose]();
  await parts[Symbol.asyncDispose]();
  await foreign[Symbol.asyncDispose]();
});

const plain = { ttlSeconds: 3600, scope: 'all' } as const;
/** Each hashes a password or two, for which a busy machine takes its time. */
const patient = { deadlineMs: 60_000 };

/** With a session each. */
async function makeAdministrators(): Promise<void> {
  const [[firstPath, first], ...rest] = Object.entries(administratorAt) as [
    [string, Administrator],
    ...[string, Administrator][],
  ];
  const code = (await readFile(join(parts.home, 'home', 'nexus', 'init-code'), 'utf8')).trim();
  const password = newPassword();
  const ada = await parts.callNexus(firstPath, () => tokens.get(firstPath));
  tokens.set(firstPath, (await ada.initialize({ user: first.name, password, code }, patient)).token);
  for (const [path, { name, ...position }] of rest) {
    const spiffeId = `spiffe://parts.test${path}`;
    const { oneTimePassword } = await ada.createAdministrator({ name, ...position, spiffeId }, patient);
    const call = await parts.callNexus(path);
    const once = { user: name, password: oneTimePassword, newPassword: newPassword(), ...plain };
    tokens.set(path, (await call.login(once, patient)).token);
  }
}

function workload(route: string, kind: string): string {
  return `/workload/${route}/${kind}`;
}

async function contextOf(agent: TestAgent): Promise<X509Context> {
  const client = new WorkloadClient({ endpoint: agent.endpoint });
  return await client.fetchX509Context(AbortSignal.timeout(requestMs));
}

function pathOf({ guard }: Route): string {
  return 'at' in guard ? guard.at : samplePath;
}

/** For each route that asks policies: one that gives what it needs, one with all other actions, one on another path. */
async function writePolicies(call: Pick<Client<typeof nexusTable>, 'putPolicy'>): Promise<void> {
  for (const [name, route] of Object.entries<Route>(nexusTable)) {
    const { guard } = route;
    if (!('action' in guard)) continue;
    const put = (kind: string, pathPattern: string, permissions: readonly Action[]) =>
      call.putPolicy({
        name: `${name}-${kind}`,
        spiffeidPattern: `^spiffe://parts\\.test${workload(name, kind)}$`,
        pathPattern,
        permissions: [...permissions],
      });
    await put('right', pathOf(route), [guard.action]);
    await put(
      'action',
      pathOf(route),
      actions.filter((action) => action !== guard.action),
    );
    if (guard.kind === 'policy') await put('path', `${samplePath}/other/.*`, actions);
  }
}

/** An identity that stays as it is. */
function sourceOf(context: X509Context, path: string): IdentitySource {
  const svid = context.svids.find(({ id }) => id.path === path);
  assert(svid !== undefined, path);
  const identity = { svid, bundles: context.bundles };
  return { state: 'held', current: () => identity, subscribe: () => ({ [Symbol.dispose]: () => undefined }) };
}

const pools = new Map<string, TlsPool>();

/** One for each identity: who was let in once is judged anew with each request. */
function poolOf(context: X509Context, path: string): TlsPool {
  const key = `${context === own ? 'own' : 'foreign'} ${path}`;
  const pool = pools.get(key) ?? openPool({ source: sourceOf(context, path), authorize: authorizeAny() });
  pools.set(key, pool);
  return pool;
}

async function send(
  url: string,
  pool: TlsPool,
  body: Uint8Array | string,
  { method = 'POST', token }: { readonly method?: string; readonly token?: string | undefined } = {},
): Promise<PoolResponse | 'reset'> {
  try {
    const headers = token === undefined || token === '' ? {} : { Authorization: `Bearer ${token}` };
    return await pool.request({ method, url, body, headers, timeoutMs: requestMs });
  } catch (error) {
    if (error instanceof SpiffeError && error.code === 'connection_lost') return 'reset';
    throw error;
  }
}

function assertDenied(
  answer: PoolResponse | 'reset',
  route: Route,
  who: string,
  code = 'access_unauthorized',
): void {
  if (answer === 'reset') {
    // A Keeper resets peers that none of its routes is for, before HTTP; Nexus answers everybody.
    assert.ok(Object.values<Route>(keeperTable).includes(route), who);
    return;
  }
  assert.equal(answer.status, 401, who);
  const body = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
  assert.equal(body[route.error.field], code, who);
  for (const [field, zero] of Object.entries(route.error.zero)) assert.deepEqual(body[field], zero, who);
}

function assertAllowed(answer: PoolResponse | 'reset', name: string, who: string): void {
  assert.notEqual(answer, 'reset', who);
  if (answer === 'reset') return;
  const expected = answered[name] ?? [200];
  const text = answer.body.toString('utf8');
  assert.ok(expected.includes(answer.status), `${who}: ${answer.status} ${text}`);
  assert.doesNotMatch(text, /"(access_unauthorized|session_required)"/, who);
}

function suiteFor<T extends Table>(title: string, table: T, samples: Samples<T>, url: () => string): void {
  const routes = Object.entries<Route>(table);
  const ordered = [...routes.filter(([name]) => name !== last), ...routes.filter(([name]) => name === last)];
  for (const [name, route] of ordered) {
    const query = route.action === '' ? '' : `?action=${route.action}`;
    void suite(`${title} ${route.path}${query}`, () => {
      const ask = (
        context: X509Context,
        path: string,
        token = context === own ? tokens.get(path) : undefined,
      ): Promise<PoolResponse | 'reset'> => {
        const input = samples[name]?.input as InputOf<Route>;
        const body = formatJson(formatRequest(route, input));
        return send(`${url()}${route.path}${query}`, poolOf(context, path), body, { token });
      };

      void test('nobody in particular is refused', async () => {
        assertDenied(await ask(own, '/workload/nobody'), route, 'nobody');
      });

      void test('each role gets what the table says, below its path too, and no more', async () => {
        for (const role of roles) {
          for (const path of [rolePaths[role], `${rolePaths[role]}/ann`]) {
            const answer = await ask(own, path);
            if (lets(route, role)) assertAllowed(answer, name, path);
            else assertDenied(answer, route, path);
          }
        }
      });

      if (asksAdministrator(route)) {
        void test('a superuser without a session is told to log in', async () => {
          const answer = await ask(own, rolePaths.superuser, '');
          assertDenied(answer, route, 'no session', 'session_required');
        });

        void test('each role of administrators gets what its privileges say, and no more', async () => {
          for (const [path, administrator] of Object.entries(administratorAt).slice(2)) {
            const answer = await ask(own, path);
            const isRefused = refusedWithin[name]?.includes(administrator.name) === true;
            if (isPrivileged(route, administrator) && !isRefused)
              assertAllowed(answer, name, administrator.name);
            else assertDenied(answer, route, administrator.name);
          }
        });
      }

      void test('a role of another trust domain, or one that only begins alike, is refused', async () => {
        for (const role of roles) {
          assertDenied(await ask(own, `${rolePaths[role]}x`), route, `${role}x`);
          if (route.guard.kind !== 'anyPeer')
            assertDenied(await ask(others, rolePaths[role]), route, `foreign ${role}`);
        }
      });

      if (!('action' in route.guard)) return;
      void test('the policy that it needs is enough, and others are not', async () => {
        assertDenied(await ask(own, workload(name, 'action')), route, 'all other actions');
        if (route.guard.kind === 'policy')
          assertDenied(await ask(own, workload(name, 'path')), route, 'on another path');
        assertAllowed(await ask(own, workload(name, 'right')), name, 'the right policy');
      });
    });
  }
}

/** Whether a guard lets this role in without a policy; a superuser under the session of a super_admin. */
function lets(route: Route, role: Role): boolean {
  const { guard } = route;
  if (guard.kind === 'role') return guard.anyOf.includes(role);
  if (guard.kind === 'anyPeer') return true;
  if (role === 'superuser') return isPrivileged(route, { name: 'ada', role: 'super_admin' });
  return 'roles' in guard && guard.roles?.includes(role) === true;
}

function asksAdministrator({ guard }: Route): boolean {
  return guard.kind !== 'role' && guard.kind !== 'anyPeer';
}

function isPrivileged({ guard }: Route, { role, tenant }: Administrator): boolean {
  if (!('privilege' in guard)) return true;
  const reach = reachOf(role, guard.privilege);
  if (reach !== 'tenant' || !('on' in guard)) return reach !== undefined;
  return `${samplePath}/`.startsWith(`${tenant ?? ''}/`);
}

test('what is no route is refused to everybody in the same words', async () => {
  const tries = [
    ['GET', '/v1/store/secrets'],
    ['POST', '/v1/store/secrets?action=burn'],
    ['POST', '/v1/store/secrets/'],
    ['POST', '/v1//store/secrets'],
    ['POST', '/'],
  ] as const;
  for (const [method, path] of tries) {
    const answers = await Promise.all(
      ['/workload/nobody', rolePaths.superuser].map((who) =>
        send(`${parts.nexus.url}${path}`, poolOf(own, who), method === 'GET' ? '' : '{}', {
          method,
          token: tokens.get(who),
        }),
      ),
    );
    for (const answer of answers) {
      assert.notEqual(answer, 'reset');
      if (answer === 'reset') continue;
      assert.equal(answer.status, 400, `${method} ${path}`);
      assert.match(answer.body.toString('utf8'), /"err":"api_bad_request"/);
    }
  }
});

suiteFor('Nexus', nexusTable, nexusSamples, () => parts.nexus.url);
suiteFor('Keeper', keeperTable, keeperSamples, () => parts.keeper(1).url);
