import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { SpiffeError } from '../error.ts';
import { currentOf, type IdentitySource } from '../source.ts';
import { defaultGroups } from '../tls/material.ts';

/** Mozilla's intermediate configuration, which Federation 5.2 asks of servers. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

const limits = {
  handshakeMs: 5_000,
  requestMs: 5_000,
  idleMs: 5_000,
  connections: 256,
  headerBytes: 8_192,
} as const;

/** What the server proves itself with: an X.509-SVID that its source keeps current, or a certificate of the web's. */
export type EndpointCredential =
  | { readonly kind: 'https_spiffe'; readonly source: IdentitySource }
  | { readonly kind: 'https_web'; readonly certificate: { readonly cert: string; readonly key: string } };

export interface BundleServerOptions {
  /** Asked for each request, so that the answer is the newest. */
  readonly bundle: () => SpiffeBundle;
  readonly credential: EndpointCredential;
  /** `/` unless told otherwise. */
  readonly path?: string;
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/** A bundle endpoint. It tells everybody, since a bundle is public, and asks nobody for a certificate. */
export class BundleServer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #following: Disposable | undefined;

  private constructor(url: string, server: Server, following: Disposable | undefined) {
    this.url = url;
    this.#server = server;
    this.#following = following;
  }

  /** Throws SpiffeError `connection_failed` when it cannot listen there. */
  static async open(options: BundleServerOptions): Promise<BundleServer> {
    const { credential, host, port, path = '/' } = options;
    const server = createServer(
      {
        ...secureOptions(credential),
        handshakeTimeout: limits.handshakeMs,
        headersTimeout: limits.requestMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: limits.idleMs,
        maxHeaderSize: limits.headerBytes,
      },
      (request, response) => answer(options, path, request, response),
    );
    server.maxConnections = limits.connections;
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw new SpiffeError('connection_failed', `nobody can listen on ${host}:${port}`, { cause: error });
    }
    server.off('error', reject).on('error', () => undefined);
    const address = server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    const name = host.includes(':') ? `[${host}]` : host;
    return new BundleServer(`https://${name}:${bound}${path}`, server, follow(credential, server));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#following?.[Symbol.dispose]();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}

/** New connections see the newest SVID; without an identity there are none. */
function follow(credential: EndpointCredential, server: Server): Disposable | undefined {
  if (credential.kind === 'https_web') return undefined;
  const { source } = credential;
  server.prependListener('secureConnection', (socket) => {
    if (currentOf(source) === undefined) socket.destroy();
  });
  return source.subscribe((change) => {
    if (change.kind === 'withdrawn') server.closeAllConnections();
    if (change.kind === 'updated' && currentOf(source) !== undefined)
      server.setSecureContext(secureOptions(credential));
  });
}

function secureOptions(credential: EndpointCredential): SecureContextOptions {
  const certificate =
    credential.kind === 'https_web' ? credential.certificate : credential.source.current().svid.toPem();
  return {
    ...certificate,
    minVersion: 'TLSv1.2',
    ciphers,
    ecdhCurve: [...defaultGroups, 'prime256v1', 'secp384r1'].join(':'),
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function answer(
  { bundle }: BundleServerOptions,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { method = '', url = '' } = request;
  const end = (status: number, headers: Record<string, string> = {}): void =>
    void response.writeHead(status, { 'Content-Length': 0, Connection: 'close', ...headers }).end();
  if (url.split('?', 1)[0] !== path) return end(404);
  if (method !== 'GET' && method !== 'HEAD') return end(405, { Allow: 'GET, HEAD' });
  // Nobody has a reason to send anything with it.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
    return end(400);
  const body = Buffer.from(bundle().marshal(), 'utf8');
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(method === 'HEAD' ? undefined : body);
}
