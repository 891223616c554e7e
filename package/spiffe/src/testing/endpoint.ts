import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { SpiffeBundle, type SpiffeBundleOptions } from '../bundle/spiffe-bundle.ts';
import type { TestDomain } from './domain.ts';

/** The bundle of a test's trust domain, as its endpoint would serve it. */
export function spiffeBundleOf(domain: TestDomain, options: SpiffeBundleOptions = {}): SpiffeBundle {
  return new SpiffeBundle(domain.trustDomain, { x509Authorities: domain.bundle.authorities, ...options });
}

/** An HTTPS server that answers as a test wants, with a certificate that may be anybody's. */
export class RawEndpoint implements AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor(server: Server, asked: string[]) {
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    this.#server = server;
    this.asked = asked;
    this.url = `https://127.0.0.1:${address.port}/`;
  }

  static async open(
    credential: { readonly cert: string; readonly key: string },
    answer: RequestListener,
    options: ServerOptions = {},
  ): Promise<RawEndpoint> {
    const asked: string[] = [];
    const server = createServer({ ...options, ...credential }, (request, response) => {
      asked.push(request.url ?? '');
      answer(request, response);
    });
    server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RawEndpoint(server, asked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
