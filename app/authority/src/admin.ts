import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { SpikeError, toSpikeError } from '@spike/error';
import { openPeerPid, peerCredentials } from '@spike/host';
import { describeError, type Log } from '@spike/log';
import {
  adminPathPrefix,
  encodeAdminResponse,
  isAdminRoute,
  maxRequestBytes,
  parseAdminRequest,
  type AdminRoute,
} from '@spike/registry';
import { SpiffeError } from '@spike/spiffe';
import type { AdminHandlers, Caller } from './operation.ts';

// An import would read all that the module exports, and one of its exports loads undici: 6 MB, and time at each start.
const { createServer } = process.getBuiltinModule('node:http');

export interface AdminServerOptions {
  /** In a directory of our own, 0700; only one process (the holder of the state's lock) may come here. */
  readonly path: string;
  readonly handlers: AdminHandlers;
  readonly log: Log;
}

const requestTimeoutMs = 5_000;
const maxConnections = 64;

/** The admin socket. Its callers are told apart by uid alone: ours and root's come in. */
export class AdminServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: AdminServerOptions;

  private constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        keepAliveTimeout: 1,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 8_192,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = maxConnections;
    // Before the parser's own listener, so that not a byte is read from a stranger.
    this.#server.prependListener('connection', (socket: Socket) => {
      if (!isOurs(socket)) {
        options.log.warn('admin.refused', { reason: 'uid' });
        socket.destroy();
      }
    });
  }

  static async open(options: AdminServerOptions): Promise<AdminServer> {
    await removeStale(options.path);
    const admin = new AdminServer(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    admin.#server.once('error', reject);
    admin.#server.listen({ path: options.path }, resolve);
    try {
      await promise;
      await chmod(options.path, 0o600);
    } catch (error) {
      admin.#server.close();
      throw new SpikeError('config_invalid', `no socket can be made at ${options.path}`, { cause: error });
    }
    admin.#server.off('error', reject);
    admin.#server.on('error', (error) => options.log.error('admin.failed', describeError(error)));
    return admin;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('content-type', 'application/json');
    response.setHeader('connection', 'close');
    try {
      const caller = toCaller(request.socket);
      const route = parseRoute(request);
      const body = await this.#handle(route, await readBody(request), caller);
      response.end(JSON.stringify(body));
    } catch (thrown) {
      const error = describe(thrown);
      if (error.code === 'api_internal_error') this.#options.log.error('admin.failed', describeError(error));
      else this.#options.log.info('admin.denied', { path: request.url ?? '', code: error.code });
      response.statusCode = error.row.status;
      response.end(JSON.stringify({ code: error.code, message: error.message }));
    }
  }

  async #handle<R extends AdminRoute>(route: R, input: unknown, caller: Caller): Promise<unknown> {
    const handler = this.#options.handlers[route];
    return encodeAdminResponse(route, await handler(parseAdminRequest(route, input), caller));
  }
}

/** The SPIFFE library says what is wrong with an ID; everything else is ours already, or an accident. */
function describe(thrown: unknown): SpikeError {
  if (!(thrown instanceof SpiffeError)) return toSpikeError(thrown);
  return new SpikeError('data_invalid_input', thrown.message, { cause: thrown });
}

function isOurs(socket: Socket): boolean {
  try {
    const { uid } = peerCredentials(socket);
    return uid === 0 || uid === process.geteuid?.();
  } catch {
    return false;
  }
}

function toCaller(socket: Socket): Caller {
  const { pid, uid } = peerCredentials(socket);
  return { pid, uid, openProcess: () => openPeerPid(socket) };
}

function parseRoute(request: IncomingMessage): AdminRoute {
  const path = request.url ?? '';
  const name = path.startsWith(adminPathPrefix) ? path.slice(adminPathPrefix.length) : '';
  if (request.method === 'POST' && isAdminRoute(name)) return name;
  throw new SpikeError('api_not_found', `there is no ${request.method ?? ''} ${path} here`);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > maxRequestBytes) throw new SpikeError('api_payload_too_large', 'the request is too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new SpikeError('data_invalid_input', 'the body is not JSON', { cause: error });
  }
}

/** What a killed authority left behind. The caller holds the lock of the state, and the directory is ours alone. */
async function removeStale(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined) return;
  if (!entry.isSocket()) throw new SpikeError('config_invalid', `${path} exists and is not a socket`);
  if (await isAnswered(path)) {
    throw new SpikeError(
      'config_invalid',
      `another authority answers at ${path}; choose another --admin-socket`,
    );
  }
  await unlink(path);
}

async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path });
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
