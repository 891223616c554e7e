import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  formatJson,
  formatRequest,
  keeperTable,
  nexusTable,
  rolePaths,
  type Action,
  type InputOf,
  type Role,
  type Route,
  type Table,
} from '@spike/contract';
import { keeperSamples, nexusSamples, samplePath, type Samples } from '@spike/server/testing';
import {
  authorizeAny,
  openPool,
  SpiffeError,
  WorkloadClient,
  type IdentitySource,
  type PoolResponse,
  type X509Context,
} from '@spike/spiffe';
import { TestAgent } from '@spike/spiffe/testing';
import { Parts } from './parts.ts';

/* Every route with no, wrong and right permission, over real mTLS, from the tables: a new route is tested by being there. */

const roles = Object.keys(rolePaths) as Role[];
const actions: readonly Action[] = ['read', 'write', 'list', 'execute'];
const requestMs = 10_000;
/** What one who may ask is told in this state of the system; 200 unless it is here. */
const answered: Readonly<Record<string, readonly number[]>> = {
  // There is an instance already.
  beginBootstrap: [409],
  verifyBootstrap: [409],
  // There is a key already.
  restore: [400],
  // The samples delete what the others look for.
  getSecret: [200, 404],
  deleteSecret: [200, 404],
  getPolicy: [200, 404],
  deletePolicy: [200, 404],
  // What Bootstrap or a Nexus of another instance brings is not taken by a Keeper with an active share.
  contributeShare: [400],
};

let parts: Parts;
let foreign: TestAgent;
let own: X509Context;
let others: X509Context;

before(async () => {
  foreign = await TestAgent.open('foreign.test');
  parts = await Parts.bootstrapped();
  const federated = foreign.issue([]).bundles;
  const workloads = Object.keys(nexusTable).flatMap((name) =>
    ['right', 'action', 'path'].map((kind) => workload(name, kind)),
  );
  const nobody = ['/workload/nobody', ...roles.map((role) => `${rolePaths[role]}x`)];
  const below = roles.map((role) => `${rolePaths[role]}/ann`);
  parts.agent.say(
    parts.agent.issue([...Object.values(rolePaths), ...workloads, ...nobody, ...below], { federated }),
  );
  foreign.say(foreign.issue(Object.values(rolePaths), { federated: parts.agent.issue([]).bundles }));
  own = await contextOf(parts.agent);
  others = await contextOf(foreign);
  await writePolicies();
  await parts.reachHolding(1, 2, 3);
});
after(async () => {
  await parts[Symbol.asyncDispose]();
  await foreign[Symbol.asyncDispose]();
});

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
async function writePolicies(): Promise<void> {
  const call = await parts.callNexus();
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

type Ask = (context: X509Context, path: string) => Promise<PoolResponse | 'reset'>;

async function send(
  url: string,
  source: IdentitySource,
  body: Uint8Array | string,
  method = 'POST',
): Promise<PoolResponse | 'reset'> {
  using pool = openPool({ source, authorize: authorizeAny() });
  try {
    return await pool.request({ method, url, body, timeoutMs: requestMs });
  } catch (error) {
    if (error instanceof SpiffeError && error.code === 'connection_lost') return 'reset';
    throw error;
  }
}

function assertDenied(answer: PoolResponse | 'reset', route: Route, who: string): void {
  if (answer === 'reset') {
    // A Keeper resets peers that none of its routes is for, before HTTP; Nexus answers everybody.
    assert.ok(Object.values<Route>(keeperTable).includes(route), who);
    return;
  }
  assert.equal(answer.status, 401, who);
  const body = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
  assert.equal(body[route.error.field], 'access_unauthorized', who);
  for (const [field, zero] of Object.entries(route.error.zero)) assert.deepEqual(body[field], zero, who);
}

function assertAllowed(answer: PoolResponse | 'reset', name: string, who: string): void {
  assert.notEqual(answer, 'reset', who);
  if (answer === 'reset') return;
  const expected = answered[name] ?? [200];
  assert.ok(expected.includes(answer.status), `${who}: ${answer.status} ${answer.body.toString('utf8')}`);
}

function suiteFor<T extends Table>(title: string, table: T, samples: Samples<T>, url: () => string): void {
  for (const [name, route] of Object.entries<Route>(table)) {
    const query = route.action === '' ? '' : `?action=${route.action}`;
    void suite(`${title} ${route.path}${query}`, () => {
      const ask: Ask = (context, path) => {
        const input = samples[name]?.input as InputOf<Route>;
        const body = formatJson(formatRequest(route, input));
        return send(`${url()}${route.path}${query}`, sourceOf(context, path), body);
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

/** The roles that a guard lets in without a policy. */
function lets({ guard }: Route, role: Role): boolean {
  if (guard.kind === 'role') return guard.anyOf.includes(role);
  return guard.kind === 'anyPeer' || role === 'superuser';
}

suiteFor('Nexus', nexusTable, nexusSamples, () => parts.nexus.url);
suiteFor('Keeper', keeperTable, keeperSamples, () => parts.keeper(1).url);

test('what is no route is refused to everybody in the same words', async () => {
  const tries = [
    ['GET', '/v1/store/secrets'],
    ['POST', '/v1/store/secrets?action=destroy'],
    ['POST', '/v1/store/secrets/'],
    ['POST', '/v1//store/secrets'],
    ['POST', '/'],
  ] as const;
  for (const [method, path] of tries) {
    const answers = await Promise.all(
      ['/workload/nobody', rolePaths.superuser].map((who) =>
        send(`${parts.nexus.url}${path}`, sourceOf(own, who), method === 'GET' ? '' : '{}', method),
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
