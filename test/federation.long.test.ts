import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { nexusTable, rolePaths, SecretPath } from '@spike/contract';
import { AuthorityClient } from '@spike/registry';
import { authorizeRole, openClient, type OpenedClient } from '@spike/sdk';
import { TrustDomain, X509Source } from '@spike/spiffe';
import { authorityOf, openCaller, type RoleClient } from './caller.ts';
import { openScratch, repository, System, until } from './system.ts';

/** The trust domain that Nexus knows only by federation. */
const guest = 'guest.test';
const workload = `spiffe://${guest}/workload/app`;
const openMs = 60_000;
/** What a loaded machine needs; nothing else would end the connection before the SVID expires in an hour. */
const atOnceMs = 2_000;

let host: System;
let guests: GuestAuthority;
let superuser: RoleClient;
before(async () => {
  host = await System.start();
  guests = await GuestAuthority.start();
  superuser = await openCaller(host);
  // Nexus is to know the guests, and they are to know it.
  const { bundle } = await guests.admin.showBundle();
  const { bundleUrl = '' } = await guests.admin.status();
  const endpoint = {
    profile: 'https_spiffe',
    url: bundleUrl,
    spiffeId: `spiffe://${guest}/spike/authority`,
  } as const;
  await authorityOf(host).setRelationship({ trustDomain: guest, bundle, endpoint });
  await federateNexus(guest);
  await guests.admin.setRelationship(await authorityOf(host).showBundle());
  await superuser.call.putSecret({ path, values: { user: 'app' } });
});
after(async () => {
  await superuser[Symbol.asyncDispose]();
  await guests[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

/** A second authority, as `spike authority serve` makes one: alone, with its bundle endpoint on the loopback. */
class GuestAuthority implements AsyncDisposable {
  readonly admin: AuthorityClient;
  readonly endpoint: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(directory: string, stack: AsyncDisposableStack) {
    this.admin = new AuthorityClient({ socketPath: join(directory, 'admin', 's'), timeoutMs: openMs });
    this.endpoint = `unix://${join(directory, 'agent', 's')}`;
    this.#stack = stack;
  }

  static async start(): Promise<GuestAuthority> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await openScratch());
    const flags = {
      state: join(path, 'state'),
      socket: join(path, 'agent', 's'),
      'admin-socket': join(path, 'admin', 's'),
      'trust-domain': guest,
      'bundle-endpoint': '127.0.0.1:0',
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const main = join(repository, 'app', 'authority', 'src', 'main.ts');
    const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    stack.defer(async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    });
    await once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(openMs) });
    return new GuestAuthority(path, stack.move());
  }

  /** This process as a workload of the guests, with the bundle of Nexus's trust domain. */
  async identity(id: string): Promise<X509Source> {
    const { trustDomain } = await host.context();
    const entry = { spiffeId: id, selectors: [`pid:${process.pid}`], federatesWith: [trustDomain] };
    await this.admin.createEntry(entry);
    return await X509Source.open({
      endpoint: this.endpoint,
      pick: (svids) => svids.find((svid) => svid.id.toString() === id),
      firstAnswerMs: openMs,
      signal: new AbortController().signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function federateNexus(...names: readonly string[]): Promise<void> {
  const authority = authorityOf(host);
  const nexus = (await authority.listEntries()).find(({ spiffeId }) => spiffeId.endsWith(rolePaths.nexus));
  assert.ok(nexus);
  await authority.federateEntry(nexus.id, names);
}

async function callAs(source: X509Source): Promise<OpenedClient<typeof nexusTable>> {
  const { nexusUrl, trustDomain } = await host.context();
  const authorize = authorizeRole('nexus', [TrustDomain.parse(trustDomain)]);
  return openClient({ source, table: nexusTable, url: nexusUrl, authorize, retry: false });
}

/** A connection with nothing on it, and the moment at which the other side ends it. */
async function keepConnection(source: X509Source): Promise<{ readonly ended: Promise<number> } & Disposable> {
  const { nexusUrl } = await host.context();
  const { hostname, port } = new URL(nexusUrl);
  const { svid, bundles } = source.current();
  const ca = [...bundles].map((bundle) => bundle.toPem());
  const socket = connect({
    ...svid.toPem(),
    ca,
    host: hostname,
    port: Number(port),
    checkServerIdentity: () => undefined,
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  socket.on('error', () => undefined).once('close', () => resolve(performance.now()));
  // A request that is answered, so that the server has surely let it in.
  socket.write('GET /nothing HTTP/1.1\r\nHost: nexus\r\n\r\n');
  const refused = promise.then(() => assert.fail('the connection was ended before its answer'));
  await Promise.race([once(socket, 'data', { signal: AbortSignal.timeout(openMs) }), refused]);
  refused.catch(() => undefined);
  return { ended: promise, [Symbol.dispose]: () => void socket.destroy() };
}

const path = SecretPath.parse('tenants/guest/db');
const denied = { code: 'access_unauthorized' };
const read = ({ call }: OpenedClient<typeof nexusTable>) => call.getSecret({ path, version: 0 });

async function putPolicy(spiffeidPattern: string): Promise<void> {
  const permissions = ['read'];
  await superuser.call.putPolicy({
    name: 'guest',
    spiffeidPattern,
    pathPattern: 'tenants/guest/.*',
    permissions,
  });
}

test('a workload of another trust domain reads a secret when a policy names it, and does not otherwise', async () => {
  await using source = await guests.identity(workload);
  using client = await callAs(source);
  await assert.rejects(read(client), denied);
  // The same path in the trust domain of Nexus is somebody else.
  const { trustDomain } = await host.context();
  await putPolicy(`^spiffe://${trustDomain.replaceAll('.', '\\.')}/workload/app$`);
  await assert.rejects(read(client), denied);
  await putPolicy(`^spiffe://guest\\.test/workload/app$`);
  assert.equal((await read(client)).data['user'], 'app');
  await using other = await guests.identity(`spiffe://${guest}/workload/other`);
  using stranger = await callAs(other);
  await assert.rejects(read(stranger), denied);
});

test('a role of SPIKE is one in its own trust domain only, whatever a federated one calls its workloads', async () => {
  await using source = await guests.identity(`spiffe://${guest}${rolePaths.superuser}`);
  using client = await callAs(source);
  const { call } = client;
  for (const attempt of [
    () => read(client),
    () => call.putSecret({ path, values: { user: 'evil' } }),
    () => call.listPolicies({ spiffeidPattern: '', pathPattern: '' }),
    () => call.listSecrets({}),
    () => call.putPolicy({ name: 'mine', spiffeidPattern: '.*', pathPattern: '.*', permissions: ['super'] }),
  ])
    await assert.rejects(attempt(), { code: /access_unauthorized|api_bad_request|data_invalid_input/ });
  for (const role of [rolePaths.recover, rolePaths.restore]) {
    await using holder = await guests.identity(`spiffe://${guest}${role}`);
    using other = await callAs(holder);
    await assert.rejects(other.call.recover({}), denied);
  }
  assert.equal((await superuser.call.getSecret({ path, version: 0 })).data['user'], 'app');
});

test('a federated bundle that is removed: its workloads are refused at once, on connections that they keep and on new ones', async () => {
  await putPolicy(`^spiffe://guest\\.test/workload/app$`);
  await using source = await guests.identity(workload);
  using client = await callAs(source);
  assert.equal((await read(client)).data['user'], 'app');
  using kept = await keepConnection(source);
  const removed = performance.now();
  await authorityOf(host).deleteRelationship(guest);
  const ended = await kept.ended;
  assert.ok(ended - removed < atOnceMs, `it was ended after ${Math.round(ended - removed)} ms`);
  await assert.rejects(read(client), { code: /^net_/ });
  await assert.rejects(keepConnection(source));
  // Nobody else feels it.
  assert.equal((await superuser.call.getSecret({ path, version: 0 })).data['user'], 'app');
  assert.equal((await host.health())?.ready, true);

  // And it comes back with the bundle, as it was before.
  await authorityOf(host).setRelationship(await guests.admin.showBundle());
  await until(
    'the guests are served again',
    async () => (await read(client).catch(() => undefined)) !== undefined,
  );
});
