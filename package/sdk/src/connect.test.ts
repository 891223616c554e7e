import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import { SpikeError } from '@spike/error';
import { listen } from '@spike/server';
import { Stage } from '@spike/server/testing';
import { authorizeAny, WorkloadServer, type TlsServer } from '@spike/spiffe';
import { connect, type ConnectOptions } from './connect.ts';

/** An agent that gives everybody these identities, and a server that shows that one. */
class Rig implements AsyncDisposable {
  readonly stage = Stage.ofNexus();
  readonly #stack = new AsyncDisposableStack();
  #endpoint = '';
  #server: TlsServer | undefined;

  static async open(
    options: { readonly paths?: readonly string[]; readonly server?: string } = {},
  ): Promise<Rig> {
    const rig = new Rig();
    const { world, policies } = rig.stage;
    policies.allow(world.peer('/app').id, 'read', 'a/b');
    const directory = await mkdtemp(join(tmpdir(), 'spike-sdk-'));
    rig.#stack.defer(() => rm(directory, { recursive: true }));
    const svids = (options.paths ?? ['/app']).map((path) => world.svid(path));
    const end = new AbortController();
    rig.#stack.defer(() => end.abort());
    const agent = await WorkloadServer.listen({
      path: join(directory, 's'),
      signal: end.signal,
      handler: {
        watchX509: (_peer, signal) => hold({ svids, bundles: world.bundles }, signal),
        watchX509Bundles: (_peer, signal) => hold(world.bundles, signal),
      },
    });
    rig.#stack.use(agent);
    rig.#endpoint = `unix://${agent.path}`;
    rig.#server = rig.#stack.use(
      await listen(
        {
          ...rig.stage.options,
          source: world.source(options.server ?? '/spike/nexus'),
          authorize: authorizeAny(),
          host: '127.0.0.1',
          port: 0,
        },
        AbortSignal.timeout(2000),
      ),
    );
    return rig;
  }

  get env() {
    return {
      SPIFFE_ENDPOINT_SOCKET: this.#endpoint,
      SPIKE_NEXUS_API_URL: this.#server?.url,
      SPIKE_HOME: join(tmpdir(), 'spike-sdk-nothing-here'),
    };
  }

  connect(options: ConnectOptions = {}) {
    return connect({ env: this.env, deadlineMs: 2000, ...options });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function* hold<T>(value: T, signal: AbortSignal): AsyncGenerator<T> {
  yield value;
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

void suite('connect', () => {
  void test('finds agent and Nexus by the environment, and reads a secret over mTLS', async () => {
    await using rig = await Rig.open({ paths: ['/spike/pilot/role/superuser', '/app'] });
    await using spike = await rig.connect();
    assert.equal(spike.spiffeId, 'spiffe://spike.ist/app');
    const secret = await spike.get('a/b');
    assert.equal(secret.field('user').expose(), 'app');
    await assert.rejects(spike.get('a/c'), { code: 'access_unauthorized' });
  });

  void test('finds them by what a running system left', async () => {
    await using rig = await Rig.open();
    const { env } = rig;
    const context = { endpointSocket: env.SPIFFE_ENDPOINT_SOCKET, nexusUrl: env.SPIKE_NEXUS_API_URL ?? '' };
    await using spike = await connect({ env: { SPIKE_HOME: env.SPIKE_HOME }, context, deadlineMs: 2000 });
    assert.equal((await spike.get('a/b')).version, 1);
  });

  void test('believes no server that is not Nexus, and sends it nothing', async () => {
    await using rig = await Rig.open({ server: '/spike/keeper' });
    await using spike = await rig.connect();
    await assert.rejects(spike.get('a/b'), {
      code: 'net_peer_connection',
      detail: { sent: false, reason: 'peer_refused', refused: true },
    });
    assert.deepEqual(rig.stage.audit.records, []);
  });

  void test('believes a Nexus of the named trust domains only', async () => {
    await using rig = await Rig.open();
    await using other = await rig.connect({ trustRoots: ['other.ist'] });
    await assert.rejects(other.get('a/b'), { code: 'net_peer_connection' });
    await using named = await rig.connect({
      env: { ...rig.env, SPIKE_TRUST_ROOT_NEXUS: 'other.ist, spike.ist' },
    });
    assert.equal((await named.get('a/b')).version, 1);
  });

  void test('waits for a Nexus that is not ready yet, within the deadline', async () => {
    await using rig = await Rig.open();
    const { gate } = rig.stage;
    gate.refusal = new SpikeError('state_not_ready', 'not yet');
    await using spike = await rig.connect();
    await assert.rejects(spike.get('a/b', { deadlineMs: 1500 }), { code: 'state_not_ready' });
    const reading = spike.get('a/b');
    gate.refusal = undefined;
    assert.equal((await reading).version, 1);
  });

  void test('refuses to choose among several identities, and takes the one that it is told', async () => {
    await using rig = await Rig.open({ paths: ['/app', '/job'] });
    await assert.rejects(rig.connect(), {
      code: 'spiffe_no_identity',
      message: /several identities.*\/app.*\/job/,
    });
    await using spike = await rig.connect({ spiffeId: 'spiffe://spike.ist/app' });
    assert.equal(spike.spiffeId, 'spiffe://spike.ist/app');
  });

  void test('says what to do when there is no identity but those of SPIKE itself', async () => {
    await using rig = await Rig.open({ paths: ['/spike/pilot/role/superuser'] });
    await assert.rejects(rig.connect({ deadlineMs: 300 }), {
      code: 'spiffe_no_identity',
      message: /spike authority entry create/,
    });
  });

  void test('says soon that there is no agent', async () => {
    const missing = {
      SPIFFE_ENDPOINT_SOCKET: 'unix:///nowhere/agent.sock',
      SPIKE_NEXUS_API_URL: 'https://127.0.0.1:1',
    };
    await assert.rejects(connect({ env: missing, deadlineMs: 300 }), { code: 'spiffe_no_agent' });
    const nothing = { SPIKE_HOME: join(tmpdir(), 'spike-sdk-nothing-here') };
    await assert.rejects(connect({ env: nothing }), {
      code: 'spiffe_no_agent',
      message: /SPIFFE_ENDPOINT_SOCKET/,
    });
    const bad = { ...missing, SPIFFE_ENDPOINT_SOCKET: 'agent.sock' };
    await assert.rejects(connect({ env: bad }), { code: 'config_invalid' });
    await assert.rejects(connect({ env: missing, url: 'http://127.0.0.1' }), { code: 'config_invalid' });
    await assert.rejects(connect({ env: missing, trustRoots: ['a/b'] }), { code: 'config_invalid' });
  });

  void test('gives up when its caller does', async () => {
    const controller = new AbortController();
    const missing = {
      SPIFFE_ENDPOINT_SOCKET: 'unix:///nowhere/agent.sock',
      SPIKE_NEXUS_API_URL: 'https://127.0.0.1:1',
    };
    const opening = connect({ env: missing, signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(opening, { message: 'enough' });
  });

  void test('a server that is gone is said with what was not sent', async () => {
    await using rig = await Rig.open();
    await using spike = await rig.connect({ url: 'https://127.0.0.1:1', retry: false });
    await assert.rejects(spike.put('a/b', { a: 'b' }), {
      code: 'net_peer_connection',
      detail: { sent: false, reason: 'connection_failed', refused: false },
    });
  });
});
