import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { SpiffeError } from '../error.ts';
import { encodeFrame, FrameReader } from './frame.ts';
import type { GrpcServerLimit } from './server-limit.ts';
import { okTrailer, type StatusTrailer } from './status.ts';
import { parseTimeout } from './timeout.ts';

export type CallHandler = (call: ServerCall) => Promise<void>;

const answerHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity',
};

/** One call on the server: its request, its answers, its end, and a signal that says that nobody waits any more. */
export class ServerCall implements Disposable {
  /** The connection below HTTP/2, for the credentials of the peer. Not to be read from or written to. */
  readonly socket: Socket;
  /** Aborted with a SpiffeError: the client went away, its deadline passed, or the server is ending. */
  readonly signal: AbortSignal;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #limit: Pick<GrpcServerLimit, 'messageBytes' | 'requestMs' | 'stallMs'>;
  readonly #abort = new AbortController();
  readonly #ending: AbortSignal;
  readonly #onEnding: () => void;
  #deadline: NodeJS.Timeout | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    socket: Socket,
    limit: Pick<GrpcServerLimit, 'messageBytes' | 'requestMs' | 'stallMs'>,
    ending: AbortSignal,
  ) {
    this.#stream = stream;
    this.#headers = headers;
    this.socket = socket;
    this.#limit = limit;
    this.#ending = ending;
    this.signal = this.#abort.signal;
    this.#onEnding = () => this.#abort.abort(ending.reason);
    ending.addEventListener('abort', this.#onEnding);
    if (ending.aborted) this.#onEnding();
    // A reset by the client arrives as an error or only as a close; both mean the same.
    stream.on('error', () => undefined);
    stream.on('close', () => this.#abort.abort(new SpiffeError('aborted', 'the client ended the call')));
  }

  /** The one value of a request header, or undefined when it is absent or there are several. */
  header(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** Throws when the headers ask for something that is not done here; starts the deadline of the client. */
  checkHeaders(): void {
    const encoding = this.header('grpc-encoding');
    if (encoding !== undefined && encoding !== 'identity') {
      throw new SpiffeError('unimplemented', 'gRPC: messages are not accepted compressed');
    }
    const timeout = this.header('grpc-timeout');
    if (timeout === undefined) return;
    this.#deadline = setTimeout(() => {
      this.#abort.abort(new SpiffeError('deadline_exceeded', 'the deadline of the client has passed'));
    }, parseTimeout(timeout)).unref();
  }

  /** The one message of the request. Calls that stream requests do not exist in this API. */
  async receive(): Promise<Uint8Array> {
    const reader = new FrameReader(this.#limit.messageBytes);
    let message: Uint8Array | undefined;
    const timer = setTimeout(() => {
      this.#abort.abort(new SpiffeError('deadline_exceeded', 'the request did not arrive in time'));
    }, this.#limit.requestMs).unref();
    try {
      // A request that breaks a rule must leave the stream alive, for the status that says so.
      const chunks: AsyncIterable<Uint8Array> = this.#stream.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        for (const found of reader.push(chunk)) {
          if (message !== undefined)
            throw new SpiffeError('invalid_argument', 'gRPC: more than one request message');
          message = found;
        }
      }
    } finally {
      clearTimeout(timer);
    }
    reader.end();
    if (message === undefined) throw new SpiffeError('invalid_argument', 'gRPC: there is no request message');
    return message;
  }

  /** Resolves when HTTP/2 has taken the message, which for a client that does not read is not before it does. */
  async send(message: Uint8Array): Promise<void> {
    if (this.signal.aborted) throw this.signal.reason;
    if (!this.#stream.headersSent) this.#stream.respond(answerHeaders, { waitForTrailers: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#stream.session?.destroy();
      reject(new SpiffeError('aborted', 'the client does not read'));
    }, this.#limit.stallMs).unref();
    this.#stream.write(encodeFrame(message), (error) => (error ? reject(error) : resolve()));
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The work, or the reason of the signal if that is first: a handler that does not listen holds no call open. */
  async until(work: Promise<void>): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(this.signal.reason as SpiffeError);
    this.signal.addEventListener('abort', onAbort);
    if (this.signal.aborted) onAbort();
    try {
      await Promise.race([work, promise]);
    } finally {
      this.signal.removeEventListener('abort', onAbort);
    }
  }

  finish(): void {
    this.#end(okTrailer);
  }

  fail(trailer: StatusTrailer): void {
    this.#end(trailer);
  }

  /** Answers something that is not gRPC. */
  refuse(status: number): void {
    if (this.#stream.destroyed) return;
    this.#stream.respond({ ':status': status }, { endStream: true });
    this.#drain();
  }

  /** Lets go of the timers and tells whoever still works for this call that it is over. */
  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    this.#ending.removeEventListener('abort', this.#onEnding);
    this.#abort.abort(new SpiffeError('aborted', 'the call is over'));
  }

  #end(trailer: Readonly<Record<string, string>> | StatusTrailer): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    if (!stream.headersSent) {
      // Trailers-only: one block of headers that is the whole answer.
      stream.respond({ ...answerHeaders, ...trailer }, { endStream: true });
    } else {
      stream.once('wantTrailers', () => {
        if (!stream.destroyed) stream.sendTrailers({ ...trailer });
      });
      stream.end();
    }
    this.#drain();
  }

  /** What is left of a request that was answered is read and thrown away, but not for ever. */
  #drain(): void {
    const stream = this.#stream;
    if (stream.readableEnded || stream.destroyed) return;
    stream.resume();
    // Not at once: nghttp2 would drop the answer that is still in its queue.
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), this.#limit.requestMs).unref();
    stream.once('close', () => clearTimeout(timer));
  }
}
