import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpikeError } from '@spike/error';

// An import would read all that the module exports, and one of its exports loads undici: 6 MB, and time at each start.
const { createServer } = process.getBuiltinModule('node:http');

/** An endpoint in clear on this machine that is open. */
export interface LoopbackServer extends AsyncDisposable {
  readonly url: string;
}

export interface LoopbackAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface LoopbackOptions {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** What is served, for the sentence of a refusal. */
  readonly noun: string;
  /** Undefined for what there is not. */
  readonly answer: (path: string) => LoopbackAnswer | undefined | Promise<LoopbackAnswer | undefined>;
}

/**
 * Answers GET in clear on loopback, for programs that have no identity: nothing secret may be learnt here. Throws
 * `config_invalid` for an address that is not loopback.
 */
export async function openLoopback(options: LoopbackOptions, signal: AbortSignal): Promise<LoopbackServer> {
  const { host, port, noun, answer } = options;
  if (!isLoopback(host))
    throw new SpikeError('config_invalid', `${noun} is served on a loopback address only, such as 127.0.0.1`);
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
    serve(request, response, answer).catch(() => response.destroy());
  });
  server.maxConnections = 64;
  server.keepAliveTimeout = 5000;
  server.listen({ host, port });
  await once(server, 'listening', { signal }).catch((cause: unknown) => {
    server.close();
    throw new SpikeError('config_invalid', `cannot serve ${noun} on port ${port}`, { cause });
  });
  const bound = server.address() as AddressInfo;
  const name = bound.address.includes(':') ? `[${bound.address}]` : bound.address;
  return { url: `http://${name}:${bound.port}`, [Symbol.asyncDispose]: () => close(server) };
}

const unknown: LoopbackAnswer = {
  status: 400,
  type: 'application/json',
  body: JSON.stringify({ err: 'api_bad_request' }),
};

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: LoopbackOptions['answer'],
): Promise<void> {
  const found = request.method === 'GET' ? await answer(request.url ?? '') : undefined;
  const { status, type, body } = found ?? unknown;
  response
    .writeHead(status, {
      'Content-Type': type,
      'Cache-Control': 'no-store',
      'Content-Length': Buffer.byteLength(body),
    })
    .end(body);
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
