import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { SpiffeError } from '../error.ts';
import { defaultMessageLimit, encodeFrame, FrameReader } from './frame.ts';
import { Keepalive, type Probe } from './keepalive.ts';
import type { Method } from './method.ts';
import { fromTrailer } from './status.ts';

export type GrpcTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface GrpcCallOption {
  readonly headers?: Readonly<Record<string, string>>;
  /** Largest message that is accepted, in bytes. */
  readonly messageBytes?: number;
  /** How often the connection is asked for a sign of life, and after how much silence it counts as dead. */
  readonly pingMs: number;
  readonly silenceMs: number;
  readonly probe: Probe;
}

/** A server that refuses frequent PING frames (grpc-go's default policy) ends the connection in this way. */
export class TooManyPings extends SpiffeError {}

const headerLimit = { maxHeaderListPairs: 64, settings: { enablePush: false, maxHeaderListSize: 16 * 1024 } };

/**
 * Makes one call on a connection of its own and yields its answers as they come. Ends when the server ended the call
 * with status 0; throws SpiffeError otherwise: the status of the server by its code, `connection_failed` when there is
 * no server or it died, `protocol_invalid` and `limit_exceeded` when it does not speak gRPC, `aborted` by the signal.
 */
export async function* callMethod<I, O>(
  target: GrpcTarget,
  method: Method<I, O>,
  request: I,
  option: GrpcCallOption,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (signal.aborted) throw toAbortError(signal);
  await using connection = new Connection(target, option, signal);
  const stream = connection.request(method.path, option.headers ?? {});
  const outcome = new Outcome(stream);
  stream.end(encodeFrame(method.request.encode(request)));
  try {
    const reader = new FrameReader(option.messageBytes ?? defaultMessageLimit);
    let count = 0;
    // Leaving this loop early, whichever way, resets the stream with CANCEL.
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      connection.heard();
      outcome.checkHead();
      for (const message of reader.push(chunk)) {
        if (++count > 1 && method.kind === 'unary') {
          throw new SpiffeError('protocol_invalid', 'gRPC: a second answer to a unary call');
        }
        yield message;
      }
    }
    await outcome.closed;
    if (connection.failure !== undefined) throw connection.failure;
    outcome.checkEnd();
    reader.end();
    if (count === 0 && method.kind === 'unary') {
      throw new SpiffeError('protocol_invalid', 'gRPC: the call ended without its answer');
    }
  } catch (error) {
    if (signal.aborted) throw toAbortError(signal);
    if (connection.failure !== undefined) throw connection.failure;
    // A status that came before the stream broke says more than the break.
    const told = error instanceof SpiffeError ? undefined : outcome.status();
    throw told ?? toConnectionError(error, target);
  }
}

/** One HTTP/2 session over one socket. It knows why it failed, which its streams do not. */
class Connection implements AsyncDisposable {
  failure: SpiffeError | undefined;
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  readonly #keepalive: Keepalive;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;

  constructor(target: GrpcTarget, option: GrpcCallOption, signal: AbortSignal) {
    this.#socket = connectSocket(
      target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port },
    );
    this.#session = connect('http://localhost', { createConnection: () => this.#socket, ...headerLimit });
    this.#signal = signal;
    this.#onAbort = () => this.#end(toAbortError(signal));
    signal.addEventListener('abort', this.#onAbort);
    this.#session.on('error', (error) => this.#end(toConnectionError(error, target)));
    this.#session.on('goaway', (code) => {
      if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) {
        this.#end(new TooManyPings('unavailable', 'the server wants fewer HTTP/2 pings'));
      } else if (code !== constants.NGHTTP2_NO_ERROR) {
        this.#end(
          new SpiffeError('connection_failed', `the server ended the connection with HTTP/2 error ${code}`),
        );
      }
    });
    this.#session.on('close', () => {
      this.failure ??= new SpiffeError('connection_failed', `${nameTarget(target)} ended the connection`);
    });
    this.#keepalive = new Keepalive(this.#session, option, (error) => this.#end(error));
  }

  request(path: string, headers: Readonly<Record<string, string>>): ClientHttp2Stream {
    const stream = this.#session.request({
      ...headers,
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-accept-encoding': 'identity',
    });
    // Errors are seen by whoever iterates; without this they would be thrown when nobody does.
    stream.on('error', () => undefined);
    return stream;
  }

  heard(): void {
    this.#keepalive.heard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#keepalive[Symbol.dispose]();
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#socket.closed) resolve();
    else this.#socket.once('close', () => resolve());
    this.#session.close();
    // A turn of grace, so that RST_STREAM is written before the socket is gone.
    setImmediate(() => {
      this.#session.destroy();
      this.#socket.destroy();
    });
    await promise;
  }

  #end(error: SpiffeError): void {
    this.failure ??= error;
    this.#session.destroy();
    this.#socket.destroy();
  }
}

/** What the headers and trailers of an answer say. */
class Outcome {
  readonly closed: Promise<void>;
  #head: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined;
  #trailer: IncomingHttpHeaders | undefined;

  constructor(stream: ClientHttp2Stream) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    stream.on('response', (headers) => (this.#head = headers));
    stream.on('trailers', (trailer) => (this.#trailer = trailer));
    stream.on('close', () => resolve());
  }

  /** Throws when the answer is not one of gRPC, before any of its bytes are believed. */
  checkHead(): void {
    const head = this.#head;
    const status = head?.[':status'];
    if (status !== 200) throw fromHttpStatus(status);
    if (!/^application\/grpc(?:\+proto)?(?:;.*)?$/.test(head?.['content-type'] ?? '')) {
      throw new SpiffeError('protocol_invalid', 'the answer is not one of gRPC');
    }
    const encoding = head?.['grpc-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw new SpiffeError('protocol_invalid', 'gRPC: the answer is compressed, which was not asked for');
    }
  }

  checkEnd(): void {
    if (this.#head === undefined) {
      throw new SpiffeError('connection_failed', 'the server ended the call without an answer');
    }
    if (this.#trailer === undefined) this.checkHead();
    const failure = this.status();
    if (failure !== undefined) throw failure;
    if ((this.#trailer ?? this.#head)['grpc-status'] === undefined) {
      throw new SpiffeError('connection_failed', 'the server broke the call off');
    }
  }

  /** The failure that the server told of, wherever it put it; undefined for success and for silence. */
  status(): SpiffeError | undefined {
    const block = this.#trailer ?? this.#head;
    const status = block?.['grpc-status'];
    if (block === undefined || typeof status !== 'string') return undefined;
    const message = block['grpc-message'];
    return fromTrailer(status, typeof message === 'string' ? message : undefined);
  }
}

/** doc/http-grpc-status-mapping of grpc: an answer by something between us and the server. */
function fromHttpStatus(status: number | undefined): SpiffeError {
  const message = `the server answered with HTTP status ${status ?? 'none'} instead of gRPC`;
  if (status === 404) return new SpiffeError('unimplemented', message);
  if (status === 429 || status === 502 || status === 503 || status === 504)
    return new SpiffeError('unavailable', message);
  return new SpiffeError('protocol_invalid', message);
}

/** Why a signal fired, as a SpiffeError: `deadline_exceeded` for a timeout, `aborted` otherwise. */
export function toAbortError(signal: AbortSignal): SpiffeError {
  const reason: unknown = signal.reason;
  if (reason instanceof SpiffeError) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return new SpiffeError(
    late ? 'deadline_exceeded' : 'aborted',
    late ? 'there was no answer in time' : 'the caller gave up',
    { cause: reason },
  );
}

function nameTarget(target: GrpcTarget): string {
  return target.kind === 'unix' ? `unix:${target.path}` : `tcp://${target.host}:${target.port}`;
}

function toConnectionError(error: unknown, target: GrpcTarget): SpiffeError {
  if (error instanceof SpiffeError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why =
    whyByCode.get(code) ?? (error instanceof Error ? error.message : 'for a reason that is not an error');
  return new SpiffeError('connection_failed', `${nameTarget(target)}: ${why}`, { cause: error });
}

const whyByCode: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such socket (ENOENT)'],
  ['ECONNREFUSED', 'nobody listens there (ECONNREFUSED)'],
  ['EACCES', 'the file system does not let us use this socket (EACCES)'],
  ['ENOTSOCK', 'this is not a socket (ENOTSOCK)'],
  ['ECONNRESET', 'the connection was reset (ECONNRESET)'],
  ['EPIPE', 'the connection was closed (EPIPE)'],
]);
