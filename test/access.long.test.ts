import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  administratorRoles,
  isReading,
  nexusTable,
  reachOf,
  rolePaths,
  type AdministratorRole,
  type NexusTable,
  type Privilege,
} from '@spike/contract';
import { toSpikeError } from '@spike/error';
import { authorizeRole, openClient, type Client, type OpenClientOptions } from '@spike/sdk';
import { nexusSamples } from '@spike/server/testing';
import { newPassword } from './admin.ts';
import { Parts } from './parts.ts';
import { until } from './system.ts';

const guarded = { SPIKE_NEXUS_ADMIN_AUTH: 'password' };
/** Of `samplePath`. */
const tenant = 'tenants/acme';

/** They tell of every tenant at once, so the service refuses them to whoever has one. */
const ofTheWhole: readonly string[] = ['exportAudit', 'reviewAudit'];

type Call = (input: unknown) => Promise<unknown>;

class Door implements AsyncDisposable {
  readonly parts: Parts;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: Parts, stack: AsyncDisposableStack) {
    this.parts = parts;
    this.#stack = stack;
  }

  static async open(): Promise<Door> {
    await using stack = new AsyncDisposableStack();
    const parts = stack.use(await Parts.open());
    parts.agent.say(parts.agent.issue([...Object.values(rolePaths), `${rolePaths.superuser}/other`]));
    await parts.startKeepers();
    await parts.startNexus(guarded);
    const { code, stderr } = await parts.bootstrap();
    assert.equal(code, 0, stderr);
    await parts.nexus.reach('ready');
    return new Door(parts, stack.move());
  }

  async client(
    token?: string,
    path: string = rolePaths.superuser,
    retry: OpenClientOptions<NexusTable>['retry'] = false,
  ): Promise<Client<NexusTable>> {
    const client = openClient({
      source: await this.parts.identity(path),
      table: nexusTable,
      url: this.parts.nexus.url,
      authorize: authorizeRole('nexus', [this.parts.agent.authority.trustDomain]),
      token: () => token,
      deadlineMs: 60_000,
      retry,
    });
    this.#stack.use(client);
    return client.call;
  }

  async init(password: string): Promise<string> {
    const code = (await readFile(join(this.parts.home, 'home', 'nexus', 'init-code'), 'utf8')).trim();
    const { token } = await (await this.client()).initialize({ user: 'admin', password, code });
    return token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  return await call().then(
    () => 'ok',
    (error: unknown) => toSpikeError(error).code,
  );
}

test('every route gives each role what the table of privileges says, a read-only token what reads, and nobody else anything', async () => {
  await using door = await Door.open();
  const root = await door.client(await door.init(newPassword()));
  const admin = await door.client();
  const tokens = new Map<AdministratorRole, string>();
  for (const role of administratorRoles) {
    const name = role.replace('_', '-');
    const wanted = { name, role, ...(role === 'tenant_admin' ? { tenant } : {}) };
    const { oneTimePassword } = await root.createAdministrator(wanted);
    const login = {
      user: name,
      password: oneTimePassword,
      newPassword: newPassword(),
      ttlSeconds: 3600,
    } as const;
    tokens.set(role, (await admin.login({ ...login, scope: 'all' })).token);
  }
  const password = newPassword();
  const { oneTimePassword } = await root.createAdministrator({ name: 'reader', role: 'super_admin' });
  const reading = {
    user: 'reader',
    password: oneTimePassword,
    newPassword: password,
    ttlSeconds: 3600,
  } as const;
  const reader = (await admin.login({ ...reading, scope: 'read-only' })).token;

  const callers: readonly (readonly [string, string | undefined, (privilege: Privilege) => boolean])[] = [
    ['nobody', undefined, () => false],
    [
      'a read-only super_admin',
      reader,
      (privilege) => reachOf('super_admin', privilege) !== undefined && isReading(privilege),
    ],
    ...administratorRoles.map(
      (role) =>
        [role, tokens.get(role), (privilege: Privilege) => reachOf(role, privilege) !== undefined] as const,
    ),
  ];
  let count = 0;
  const wrong: string[] = [];
  for (const [who, token, may] of callers) {
    const client = await door.client(token);
    for (const [name, route] of Object.entries(nexusTable)) {
      const { guard } = route;
      if (!('privilege' in guard)) continue;
      const call = Reflect.get(client, name) as Call;
      const sample = Reflect.get(nexusSamples, name) as { readonly input: unknown };
      const code = await codeOf(() => call(sample.input));
      const refusal = token === undefined ? 'session_required' : 'access_unauthorized';
      const isRefused = code === 'session_required' || code === 'access_unauthorized';
      const isLet = may(guard.privilege) && !(who === 'tenant_admin' && ofTheWhole.includes(name));
      if (isRefused === isLet || (isRefused && code !== refusal)) wrong.push(`${who} at ${name}: ${code}`);
      count += 1;
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 200, String(count));
});

test('of a hundred init at once, over as many connections as it takes, one wins and the others are told', async () => {
  await using door = await Door.open();
  const code = (await readFile(join(door.parts.home, 'home', 'nexus', 'init-code'), 'utf8')).trim();
  const client = await door.client();
  const codes = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      codeOf(() => client.initialize({ user: `user-${index}`, password: newPassword(), code })),
    ),
  );
  assert.equal(codes.filter((one) => one === 'ok').length, 1);
  assert.equal(
    codes.filter((one) => one === 'state_already_initialized').length,
    99,
    [...new Set(codes)].join(),
  );
});

test('a withdrawal of the identity of Nexus ends every session, and a lockout outlives it', async () => {
  await using door = await Door.open();
  const { parts } = door;
  const password = newPassword();
  const root = await door.client(await door.init(password));
  await root.listSecrets({});
  const everything = parts.agent.issue([...Object.values(rolePaths), `${rolePaths.superuser}/other`]);
  const client = await door.client();
  const login = (given: string) =>
    codeOf(() => client.login({ user: 'admin', password: given, ttlSeconds: 60, scope: 'all' }));
  // Delays between them are refusals, which count for nothing.
  let failures = 0;
  await until('the pair is locked', async () => {
    failures += (await login('wrong')) === 'login_refused' ? 1 : 0;
    const { alerts } = await root.listAlerts({ all: true, limit: 100 });
    return alerts.some(({ kind }) => kind === 'account_locked');
  });
  assert.ok(failures >= 5);
  parts.agent.say(parts.agent.issue(Object.values(rolePaths).filter((path) => path !== rolePaths.nexus)));
  await until('it has noticed', async () => (await codeOf(() => root.listSecrets({}))) !== 'ok');
  parts.agent.say(everything);
  const code = await until('it serves again', async () => {
    const found = await codeOf(() => root.listSecrets({}));
    return found === 'session_required' ? found : false;
  });
  assert.equal(code, 'session_required');
  // So many tries at once are slowed down before any password is looked at.
  const judged = await until('a password is judged', async () => {
    const found = await login(password);
    return found === 'limit_exceeded' ? false : found;
  });
  assert.equal(judged, 'login_refused', 'the right password, during the lock');
});

test('whoever logs in too often is told when to come again, and a client that heeds it is let in', async () => {
  await using door = await Door.open();
  // Before there is an administrator a login costs no hash, so that it is asked for more often than it may.
  const wish = { user: 'admin', password: 'x', ttlSeconds: 60, scope: 'all' } as const;
  const hasty = await door.client();
  const refusal = await until('a login is refused as too much', async () => {
    try {
      await hasty.login(wish);
    } catch (thrown) {
      const error = toSpikeError(thrown);
      if (error.code === 'limit_exceeded') return error;
    }
    return undefined;
  });
  assert.equal(refusal.detail['retryAfterMs'], 1_000);
  const patient = await door.client(undefined, rolePaths.superuser, 'when-told');
  const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(() => patient.login(wish))));
  assert.deepEqual([...new Set(codes)], ['state_not_initialized']);
});
