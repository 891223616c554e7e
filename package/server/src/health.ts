import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { SpikeError } from '@spike/error';

export interface Health {
  readonly ready: boolean;
  /** One word. */
  readonly state: string;
}

/** A health endpoint that is open. */
export interface HealthServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * Answers `GET /health/live` and `/health/ready` in clear on loopback, for supervisors that have no identity: nothing
 * but one word can be learnt here. Throws `config_invalid` for an address that is not loopback.
 */
export async function openHealth(
  options: { readonly host: string; readonly port: number; readonly health: () => Health },
  signal: AbortSignal,
): Promise<HealthServer> {
  if (!isLoopback(options.host))
    throw new SpikeError('config_invalid', 'health is served on a loopback address only, such as 127.0.0.1');
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
    const health = request.method === 'GET' ? answerFor(request.url, options.health) : undefined;
    const body = JSON.stringify(health?.body ?? { err: 'api_bad_request' });
    response
      .writeHead(health?.status ?? 400, {
        'Content-Type': 'application/json',
        'Cache-Control': 'no-store',
        'Content-Length': Buffer.byteLength(body),
      })
      .end(body);
  });
  server.maxConnections = 64;
  server.keepAliveTimeout = 5000;
  server.listen({ host: options.host, port: options.port });
  await once(server, 'listening', { signal }).catch((cause: unknown) => {
    server.close();
    throw new SpikeError('config_invalid', `cannot serve health on port ${options.port}`, { cause });
  });
  const { address, port } = server.address() as AddressInfo;
  const host = address.includes(':') ? `[${address}]` : address;
  return { url: `http://${host}:${port}`, [Symbol.asyncDispose]: () => close(server) };
}

function answerFor(
  url: string | undefined,
  health: () => Health,
): { status: number; body: object } | undefined {
  if (url === '/health/live') return { status: 200, body: { live: true } };
  if (url !== '/health/ready') return undefined;
  const { ready, state } = health();
  return { status: ready ? 200 : 503, body: { ready, state } };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
