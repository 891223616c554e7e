import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpikeError } from '@spike/error';
import type { VerifiedPeer } from '@spike/spiffe';
import type { Backlog } from './backlog.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Arrival, Intake } from './intake.ts';

/** How long a caller that still sends a body which nobody reads has to take its answer. */
const lingerMs = 500;
/** How much of such a body is read and thrown away meanwhile. */
const lingerBytes = 1024 * 1024;

/** Each piece costs memory besides its bytes: so many are made one, that a body sent byte by byte stays as small as it is. */
const mostPieces = 256;

/** What the requests of one server share, and what the server has against this one. */
export interface ExchangeOptions {
  readonly backlog: Backlog;
  readonly intake: Intake;
  readonly refusal?: SpikeError;
}

/** A request of `node:http`. */
export class HttpExchange implements Exchange {
  readonly peer: VerifiedPeer;
  readonly method: string;
  readonly path: string;
  readonly action: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly refusal: SpikeError | undefined;
  readonly #backlog: Backlog;
  readonly #intake: Intake;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    peer: VerifiedPeer,
    options: ExchangeOptions,
  ) {
    const url = splitUrl(request.url ?? '');
    this.peer = peer;
    this.method = request.method ?? '';
    this.path = url.path;
    this.action = url.action;
    this.remoteAddress = request.socket.remoteAddress ?? '';
    this.remotePort = request.socket.remotePort ?? 0;
    this.#request = request;
    this.#response = response;
    this.refusal = options.refusal;
    this.#backlog = options.backlog;
    this.#intake = options.intake;
    // Both also fail when the caller leaves, which the reader of the body and `onGone` notice by themselves.
    request.on('error', ignore);
    response.on('error', ignore);
  }

  get contentType(): string | undefined {
    return this.#request.headers['content-type'];
  }

  get token(): string | undefined {
    return bearerOf(this.#request.headers.authorization);
  }

  get bodyBytes(): number | undefined {
    const text = this.#request.headers['content-length'];
    return text === undefined ? undefined : Number(text);
  }

  readBody(mostBytes: number, deadlineMs: number): Promise<Uint8Array> {
    if ((this.bodyBytes ?? 0) > mostBytes) return Promise.reject(tooLarge(mostBytes));
    return readBody(this.#request, this.#intake, mostBytes, deadlineMs);
  }

  onGone(listener: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  answer({ status, headers, body }: Answer): void {
    const response = this.#response;
    if (response.destroyed) return;
    const early = !this.#request.complete;
    if (early) response.setHeader('Connection', 'close');
    const bytes = Buffer.byteLength(body);
    response.writeHead(status, { ...headers, 'Content-Length': String(bytes) });
    if (early) this.#endAfterwards(body);
    else response.end(body);
    this.#backlog.hold(response, bytes);
  }

  cut(): void {
    // A TLS socket has no reset: whoever took the identity resets the connection below it.
    this.#request.socket.destroy();
  }

  /**
   * The rest of a body must not be taken for the next request, nor be read for ever. The answer goes out at once; the
   * connection ends a little later, because what nobody has read by then makes the kernel throw the answer away, too.
   */
  #endAfterwards(body: Answer['body']): void {
    const request = this.#request;
    const response = this.#response;
    const { socket } = request;
    let left = lingerBytes;
    const end = (): void => {
      request.off('data', drop).off('end', end);
      response.end();
    };
    const drop = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left < 0) end();
    };
    response.write(body);
    request.on('data', drop).on('end', end).resume();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  }
}

function ignore(): void {
  // Has its own ways to be noticed.
}

/** RFC 6750, section 2.1; the scheme is of any letter case (RFC 9110, section 11.1). Any other scheme is none of ours. */
function bearerOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^bearer +([\w.~+/=-]{1,512})$/i.exec(header)?.[1];
}

/** Path and action as Go's mux sees them: the path exactly, of the query the first `action`. */
function splitUrl(text: string): { path: string; action: string } {
  const url = text.startsWith('/') ? text : text.replace(/^https?:\/\/[^/?]*/, '');
  const mark = url.indexOf('?');
  if (mark === -1) return { path: url, action: '' };
  const query = url.slice(mark + 1);
  // As nearly everybody asks; what is escaped, or has another parameter, is for the parser.
  const action = /^action=([a-z]*)$/.exec(query)?.[1] ?? new URLSearchParams(query).get('action') ?? '';
  return { path: url.slice(0, mark), action };
}

function readBody(
  request: IncomingMessage,
  intake: Intake,
  mostBytes: number,
  deadlineMs: number,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const blocks: Buffer[] = [];
  let pieces: Buffer[] = [];
  let size = 0;
  const fail = (error: SpikeError): void => {
    stop();
    reject(error);
  };
  const late = (): void => fail(new SpikeError('api_bad_request', 'the body did not arrive in time'));
  const gone = (): void =>
    fail(new SpikeError('api_bad_request', 'the connection ended before the body did'));
  const arrival: Arrival = { refuse: fail };
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > mostBytes) {
      fail(tooLarge(mostBytes));
      return;
    }
    if (pieces.push(chunk) === mostPieces) {
      blocks.push(Buffer.concat(pieces));
      pieces = [];
    }
    intake.note(arrival, size);
  };
  const finish = (): void => {
    stop();
    const [only] = pieces;
    resolve(only !== undefined && size === only.length ? only : Buffer.concat([...blocks, ...pieces], size));
  };
  const timer = setTimeout(late, deadlineMs);
  const stop = (): void => {
    clearTimeout(timer);
    intake.done(arrival);
    request.off('data', take).off('end', finish).off('close', gone);
  };
  request.on('data', take).on('end', finish).on('close', gone);
  return promise;
}

function tooLarge(mostBytes: number): SpikeError {
  return new SpikeError('api_payload_too_large', `this route takes at most ${mostBytes} bytes`);
}
