import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { SpiffeError } from '../error.ts';
import { TestAgent } from '../testing/agent.ts';
import { TestDomain } from '../testing/domain.ts';
import { StaticSource } from '../testing/source.ts';
import { limits, until } from '../testing/stage.ts';
import { authorizeAny } from '../tls/authorizer.ts';
import { openPool } from '../tls/pool.ts';
import { openServer } from '../tls/server.ts';
import { X509Source } from '../workload/x509-source.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';

const there = new TestDomain('there.test');
const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** A server of here whose identity comes from a Workload API, and a client of there who believes it. */
async function meet(federated: X509BundleSet) {
  const stack = new AsyncDisposableStack();
  const agent = stack.use(await TestAgent.open('here.test'));
  const answer = agent.issue(['/server'], { federated });
  agent.say(answer);
  const source = stack.use(await X509Source.open({ endpoint: agent.endpoint, signal: signal() }));
  const held: ServerResponse[] = [];
  const server = stack.use(
    await openServer(
      {
        source,
        authorize: authorizeAny(),
        handler: (request, response, peer) => {
          if (request.url === '/hold') held.push(response);
          else response.end(peer.id.toString());
        },
        limits,
        host: '127.0.0.1',
        port: 0,
      },
      signal(),
    ),
  );
  const pools = [there, new TestDomain('there.test')].map((domain) => {
    const bundles = X509BundleSet.of(there.bundle, agent.authority.bundle());
    const client = new StaticSource(domain.issue('/client'), bundles);
    return stack.use(openPool({ source: client, authorize: authorizeAny() }));
  });
  const [pool, impostor] = pools;
  assert.ok(pool && impostor);
  const get = async (by = pool, path = '/'): Promise<string> =>
    (await by.request({ method: 'GET', url: server.url + path, timeoutMs: 5000 })).body.toString();
  return {
    agent,
    answer,
    source,
    server,
    held,
    pool,
    impostor,
    get,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test('F-15 a peer of another trust domain is verified with the bundle of its own, and with no other', async () => {
  await using known = await meet(X509BundleSet.of(there.bundle));
  assert.equal(await known.get(), 'spiffe://there.test/client');
  await assert.rejects(known.get(known.impostor), SpiffeError);
  await using unknown = await meet(X509BundleSet.of());
  await assert.rejects(unknown.get(), SpiffeError);
  // An authority of here, and of whomever else, says nothing of there.
  await using wrong = await meet(X509BundleSet.of(new TestDomain('other.test').bundle));
  await assert.rejects(wrong.get(), SpiffeError);
});

test('F-16 a federated bundle that is removed ends the connections of its trust domain at once, and lets in no new ones', async () => {
  await using met = await meet(X509BundleSet.of(there.bundle));
  const waiting = met.get(met.pool, '/hold');
  await until(() => met.held.length === 1);
  // One connection is at work, another one idles.
  await met.get();
  assert.equal(met.server.connections, 2);
  const own = X509BundleSet.of(met.agent.authority.bundle());
  met.agent.say({ svids: met.answer.svids, bundles: own });
  await assert.rejects(waiting, (error) => error instanceof SpiffeError && error.code === 'connection_lost');
  await until(() => met.server.connections === 0);
  await assert.rejects(met.get(), SpiffeError);
  met.agent.say(met.answer);
  await until(() => met.source.current().bundles.size === 2);
  assert.equal(await met.get(), 'spiffe://there.test/client');
});
