import {
  constants,
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { SpiffeError } from '../error.ts';
import { ServerCall, type CallHandler } from './server-call.ts';
import type { Method } from './method.ts';
import { defaultGrpcServerLimit, type GrpcServerLimit } from './server-limit.ts';
import { hasStatus, toTrailer } from './status.ts';

const mostHeaderPairs = 64;
/** How long a client may take to leave once it was told that the server ends. */
const closeMs = 500;

/** gRPC over HTTP/2 without TLS, on sockets that somebody else accepted: it owns each of them until it is closed. */
export class GrpcServer implements AsyncDisposable {
  readonly #limit: GrpcServerLimit;
  readonly #report: (error: unknown) => void;
  readonly #handlers = new Map<string, CallHandler>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #ending = new AbortController();

  /** `report` gets the failures that clients are told nothing about. */
  constructor(limit: Partial<GrpcServerLimit> = {}, report: (error: unknown) => void = () => undefined) {
    this.#limit = { ...defaultGrpcServerLimit, ...limit };
    this.#report = report;
  }

  /** The handler's messages are sent one after the other; what it throws becomes the status of the call. */
  route<I, O>(method: Method<I, O>, handler: (request: I, call: ServerCall) => AsyncIterable<O>): void {
    this.#handlers.set(method.path, async (call) => {
      const request = method.request.decode(await call.receive());
      let sent = 0;
      for await (const response of handler(request, call)) {
        if (++sent > 1 && method.kind === 'unary')
          throw new SpiffeError('internal', 'a second answer to a unary call');
        await call.send(method.response.encode(response));
      }
      if (sent === 0 && method.kind === 'unary')
        throw new SpiffeError('internal', 'no answer to a unary call');
    });
  }

  accept(socket: Socket): void {
    if (this.#ending.signal.aborted) {
      socket.destroy();
      return;
    }
    const session = performServerHandshake(socket, {
      maxHeaderListPairs: mostHeaderPairs,
      settings: { maxConcurrentStreams: this.#limit.streams, maxHeaderListSize: this.#limit.headerBytes },
    });
    this.#sessions.add(session);
    // A session never fails the server: a peer that breaks the protocol loses its connection and that is all.
    session.on('error', () => session.destroy());
    socket.on('error', () => session.destroy());
    const idle = this.#watchIdle(session);
    session.on('close', () => {
      clearTimeout(idle.timer);
      this.#sessions.delete(session);
      socket.destroy();
    });
    session.on('stream', (stream, headers) => {
      idle.started();
      stream.on('close', () => idle.ended());
      void this.#serve(stream, headers, socket);
    });
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** Ends the running calls as Unavailable, so that clients look for the next server at once, then the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ending.signal.aborted) {
      this.#ending.abort(new SpiffeError('unavailable', 'the server is ending'));
    }
    const closed = [...this.#sessions].map(async (session) => {
      if (session.destroyed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      session.once('close', () => resolve());
      session.close();
      const timer = setTimeout(() => session.destroy(), closeMs);
      await promise;
      clearTimeout(timer);
    });
    await Promise.all(closed);
  }

  #watchIdle(session: ServerHttp2Session): IdleWatch {
    const start = (): NodeJS.Timeout => {
      const timer = setTimeout(() => session.close(), this.#limit.idleMs);
      return timer.unref();
    };
    let running = 0;
    const watch: IdleWatch = {
      timer: start(),
      started: () => {
        running++;
        clearTimeout(watch.timer);
      },
      ended: () => {
        if (--running === 0 && !session.closed) watch.timer = start();
      },
    };
    return watch;
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, socket: Socket): Promise<void> {
    using call = new ServerCall(stream, headers, socket, this.#limit, this.#ending.signal);
    const refusal = refuseHttp(headers);
    if (refusal !== undefined) {
      call.refuse(refusal);
      return;
    }
    try {
      call.checkHeaders();
      const handler = this.#handlers.get(call.header(constants.HTTP2_HEADER_PATH) ?? '');
      if (handler === undefined) throw new SpiffeError('unimplemented', 'there is no such method here');
      await call.until(handler(call));
      call.finish();
    } catch (error) {
      if (!hasStatus(error)) this.#report(error);
      call.fail(toTrailer(error));
    }
  }
}

interface IdleWatch {
  timer: NodeJS.Timeout;
  started(): void;
  ended(): void;
}

/** PROTOCOL-HTTP2: what is not gRPC at all is answered by HTTP status, for the sake of whoever asks by mistake. */
function refuseHttp(headers: IncomingHttpHeaders): number | undefined {
  if (headers[constants.HTTP2_HEADER_METHOD] !== 'POST') return 405;
  const type = headers['content-type'] ?? '';
  return /^application\/grpc(?:\+proto)?(?:;.*)?$/.test(type) ? undefined : 415;
}
