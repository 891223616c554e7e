import assert from 'node:assert/strict';
import { authorizeAny } from '../tls/authorizer.ts';
import { openPool, type TlsPool } from '../tls/pool.ts';
import type { PoolOptions, PoolRequest, PoolResponse } from '../tls/pool-option.ts';
import { openServer, type TlsServer } from '../tls/server.ts';
import type { Refusal, ServerLimits, ServerOptions } from '../tls/server-option.ts';
import type { VerifiedPeer } from '../x509/verify.ts';
import { TestDomain } from './domain.ts';
import { StaticSource } from './source.ts';

/** Limits that no test hits by accident. */
export const limits: ServerLimits = {
  handshakeMs: 5000,
  headerMs: 5000,
  requestMs: 5000,
  idleMs: 5000,
  maxConnections: 100,
  maxHeaderBytes: 16_384,
};

/** A server and a pool of one trust domain, each with a source that a test turns by hand. */
export class Stage implements AsyncDisposable {
  readonly domain = new TestDomain('spike.ist');
  readonly serverSource = new StaticSource(this.domain.issue('/spike/nexus'), this.domain.bundles);
  readonly clientSource = new StaticSource(this.domain.issue('/workload'), this.domain.bundles);
  readonly refusals: Refusal[] = [];
  readonly peers: VerifiedPeer[] = [];
  readonly pool: TlsPool;
  #server: TlsServer | undefined;

  private constructor(options: Partial<PoolOptions>) {
    this.pool = openPool({ source: this.clientSource, authorize: authorizeAny(), ...options });
  }

  static async open(options: Partial<ServerOptions> = {}, pool: Partial<PoolOptions> = {}): Promise<Stage> {
    const stage = new Stage(pool);
    stage.#server = await openServer(
      {
        source: stage.serverSource,
        authorize: authorizeAny(),
        handler: (_request, response, peer) => {
          stage.peers.push(peer);
          response.end('hello');
        },
        limits,
        onRefused: (refusal) => stage.refusals.push(refusal),
        host: '127.0.0.1',
        port: 0,
        ...options,
      },
      AbortSignal.timeout(5000),
    );
    return stage;
  }

  get server(): TlsServer {
    assert.ok(this.#server);
    return this.#server;
  }

  get(path = '/', options: Partial<PoolRequest> = {}): Promise<PoolResponse> {
    return this.pool.request({ method: 'GET', url: this.server.url + path, timeoutMs: 5000, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pool[Symbol.dispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }
}

/** Waits for something that has no event of its own. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 3000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'it did not happen within 3 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
