import { createServer, type Server, type Socket } from 'node:net';
import { SpiffeError } from '../error.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { GrpcServer } from '../grpc/server.ts';
import type { GrpcServerLimit } from '../grpc/server-limit.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import type { JwtBundleSet } from '../jwt/bundle.ts';
import type { JwtSvid } from '../jwt/svid.ts';
import type { VerifiedToken } from '../jwt/verify.ts';
import type { X509Context } from '../source.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import { toX509BundlesResponse, toX509SvidResponse } from './context.ts';
import { listenOnSocket } from './listen.ts';
import { checkAudience, toJwtBundlesResponse, toJwtSvidResponse, type JwtSvidQuery } from './jwt-context.ts';
import {
  fetchJwtBundles,
  fetchJwtSvid,
  fetchX509Bundles,
  fetchX509Svid,
  securityHeader,
  toUnimplemented,
  validateJwtSvid,
  witMethods,
} from './message.ts';
import { newestOf } from './newest.ts';

/**
 * What a Workload API server serves. A watch yields its first value at once and then each new state, whole; a reader
 * that is slow gets only the newest. Throwing `permission_denied`, at the start or in the middle, tells the workload
 * that it has no identity (any more); `unavailable` that none can be told yet. A value without SVIDs says the same as
 * `permission_denied`. Watches end when their signal says so.
 */
export interface WorkloadHandler {
  /** Called when a connection is accepted, before it is read from: the moment to ask the kernel who it is. */
  accept?(peer: Socket): void;
  watchX509(peer: Socket, signal: AbortSignal): AsyncIterable<X509Context>;
  /** Must include the bundle of the server's own trust domain (W-8). */
  watchX509Bundles(peer: Socket, signal: AbortSignal): AsyncIterable<X509BundleSet>;
  /** Without it the JWT calls are `unimplemented`. */
  readonly jwt?: JwtWorkloadHandler;
}

/** The part of a handler that a server needs for JWT-SVIDs. Refusals are as for X.509. */
export interface JwtWorkloadHandler {
  /**
   * A token for each identity of the workload, or for the one that is asked for; none at all is `permission_denied`
   * (W-7). The audience is never empty.
   */
  fetchSvids(peer: Socket, query: JwtSvidQuery, signal: AbortSignal): Promise<readonly JwtSvid[]>;
  /** Must include the bundle of the server's own trust domain (W-8). */
  watchBundles(peer: Socket, signal: AbortSignal): AsyncIterable<JwtBundleSet>;
  /** Of a token that is not believed, throws what `verifyJwtSvid` throws; the caller is told `invalid_argument`. */
  validate(
    peer: Socket,
    token: { readonly token: string; readonly audience: string },
    signal: AbortSignal,
  ): Promise<VerifiedToken>;
}

export interface WorkloadServerOptions {
  /** Of the socket; its directory must exist. */
  readonly path: string;
  /** Permissions of the socket file, as in chmod(2); without it what the umask leaves. */
  readonly mode?: number;
  readonly handler: WorkloadHandler;
  /** Connections at the same time, 256 unless told otherwise. */
  readonly connections?: number;
  readonly limit?: Partial<GrpcServerLimit>;
  /** Gets what clients are told nothing about, such as a handler that failed. */
  readonly report?: (error: unknown) => void;
  /** Ends the server, like disposing of it. */
  readonly signal: AbortSignal;
}

const defaultConnections = 256;
/** The requests of this API are empty, but for an audience and an ID. */
const requestBytes = 64 * 1024;

/** A Workload API on a unix socket, and on nothing else (W-12): it tells callers apart by the socket that they come through. */
export class WorkloadServer implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #grpc: GrpcServer;
  #closing: Promise<void> | undefined;

  private constructor(path: string, server: Server, grpc: GrpcServer) {
    this.path = path;
    this.#server = server;
    this.#grpc = grpc;
  }

  /** Throws SpiffeError `unavailable` when somebody listens there already, `endpoint_invalid` when nobody can. */
  static async listen(options: WorkloadServerOptions): Promise<WorkloadServer> {
    options.signal.throwIfAborted();
    const { handler } = options;
    const grpc = new GrpcServer({ messageBytes: requestBytes, ...options.limit }, options.report);
    routeWorkloadApi(grpc, handler);
    const sockets = createServer((socket) => {
      try {
        handler.accept?.(socket);
        grpc.accept(socket);
      } catch (error) {
        socket.destroy();
        options.report?.(error);
      }
    });
    sockets.maxConnections = options.connections ?? defaultConnections;
    await listenOnSocket(sockets, options.path, options.mode);
    sockets.on('error', (error) => options.report?.(error));
    const server = new WorkloadServer(options.path, sockets, grpc);
    const close = (): void => void server[Symbol.asyncDispose]();
    options.signal.addEventListener('abort', close, { once: true });
    sockets.once('close', () => options.signal.removeEventListener('abort', close));
    if (options.signal.aborted) close();
    return server;
  }

  get connections(): number {
    return this.#grpc.connections;
  }

  /** Resolves when all connections are closed and the socket file is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await this.#grpc[Symbol.asyncDispose]();
    await promise;
  }
}

/** The methods of the standard and no others (W-11). */
export function routeWorkloadApi(grpc: GrpcServer, handler: WorkloadHandler): void {
  grpc.route(fetchX509Svid, async function* (_request, call) {
    checkSecurityHeader(call);
    for await (const context of newestOf(handler.watchX509(call.socket, call.signal)))
      yield toX509SvidResponse(context);
  });
  grpc.route(fetchX509Bundles, async function* (_request, call) {
    checkSecurityHeader(call);
    for await (const bundles of newestOf(handler.watchX509Bundles(call.socket, call.signal))) {
      yield toX509BundlesResponse(bundles);
    }
  });
  const missing = handler.jwt === undefined ? [fetchJwtSvid, fetchJwtBundles, validateJwtSvid] : [];
  if (handler.jwt !== undefined) routeJwt(grpc, handler.jwt);
  for (const path of [...missing.map((method) => method.path), ...witMethods]) {
    // oxlint-disable-next-line require-yield
    grpc.route(toUnimplemented(path), async function* (_request, call) {
      checkSecurityHeader(call);
      throw new SpiffeError('unimplemented', `${path} is not offered by this server`);
    });
  }
}

function routeJwt(grpc: GrpcServer, handler: JwtWorkloadHandler): void {
  grpc.route(fetchJwtSvid, async function* ({ audience, spiffeId }, call) {
    checkSecurityHeader(call);
    checkAudience(audience);
    const id = spiffeId === '' ? undefined : toArgument(() => SpiffeId.parse(spiffeId));
    yield toJwtSvidResponse(await handler.fetchSvids(call.socket, { audience, id }, call.signal));
  });
  grpc.route(fetchJwtBundles, async function* (_request, call) {
    checkSecurityHeader(call);
    for await (const bundles of newestOf(handler.watchBundles(call.socket, call.signal)))
      yield toJwtBundlesResponse(bundles);
  });
  grpc.route(validateJwtSvid, async function* ({ audience, svid }, call) {
    checkSecurityHeader(call);
    checkAudience([audience]);
    try {
      const { id, claims } = await handler.validate(call.socket, { token: svid, audience }, call.signal);
      yield { spiffeId: id.toString(), claims };
    } catch (error) {
      throw explainToken(error);
    }
  });
}

/** A token that is not believed is an argument that is not valid (Workload API 6.4), and the caller may know why. */
function explainToken(error: unknown): unknown {
  const isRefusal =
    error instanceof SpiffeError && ['token_invalid', 'token_refused', 'bundle_unknown'].includes(error.code);
  return isRefusal ? new SpiffeError('invalid_argument', error.message, { cause: error }) : error;
}

function toArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = error instanceof SpiffeError ? error.message : 'it cannot be read';
    throw new SpiffeError('invalid_argument', why, { cause: error });
  }
}

function checkSecurityHeader(call: ServerCall): void {
  if (call.header(securityHeader.name) !== securityHeader.value) {
    throw new SpiffeError(
      'invalid_argument',
      `the header "${securityHeader.name}: ${securityHeader.value}" is missing`,
    );
  }
}
