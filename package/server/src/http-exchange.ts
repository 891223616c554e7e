import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpikeError } from '@spike/error';
import type { VerifiedPeer } from '@spike/spiffe';
import type { Backlog } from './backlog.ts';
import type { Answer, Exchange } from './exchange.ts';

/** How long a caller that still sends a body which nobody reads has to take its answer. */
const lingerMs = 1000;

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
  readonly #backlog: Backlog;

  constructor(request: IncomingMessage, response: ServerResponse, peer: VerifiedPeer, backlog: Backlog) {
    const url = splitUrl(request.url ?? '');
    this.peer = peer;
    this.method = request.method ?? '';
    this.path = url.path;
    this.action = url.action;
    this.remoteAddress = request.socket.remoteAddress ?? '';
    this.remotePort = request.socket.remotePort ?? 0;
    this.#request = request;
    this.#response = response;
    this.#backlog = backlog;
    // Both also fail when the caller leaves, which the reader of the body and `onGone` notice by themselves.
    request.on('error', ignore);
    response.on('error', ignore);
  }

  get bodyBytes(): number | undefined {
    const text = this.#request.headers['content-length'];
    return text === undefined ? undefined : Number(text);
  }

  readBody(mostBytes: number, deadlineMs: number): Promise<Uint8Array> {
    if ((this.bodyBytes ?? 0) > mostBytes) return Promise.reject(tooLarge(mostBytes));
    return readBody(this.#request, mostBytes, deadlineMs);
  }

  onGone(listener: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  answer({ status, headers, body }: Answer): void {
    const response = this.#response;
    if (response.destroyed) return;
    if (!this.#request.complete) this.#endAfterwards();
    response.writeHead(status, { ...headers, 'Content-Length': String(body.byteLength) });
    response.end(body);
    this.#backlog.hold(response, body.byteLength);
  }

  cut(): void {
    // A TLS socket has no reset: whoever took the identity resets the connection below it.
    this.#request.socket.destroy();
  }

  /** The rest of a body must not be taken for the next request, nor be read for ever. */
  #endAfterwards(): void {
    const { socket } = this.#request;
    this.#response.setHeader('Connection', 'close');
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  }
}

function ignore(): void {
  // Has its own ways to be noticed.
}

/** Path and action as Go's mux sees them: the path exactly, of the query the first `action`. */
function splitUrl(text: string): { path: string; action: string } {
  const url = text.startsWith('/') ? text : text.replace(/^https?:\/\/[^/?]*/, '');
  const mark = url.indexOf('?');
  if (mark === -1) return { path: url, action: '' };
  return { path: url.slice(0, mark), action: new URLSearchParams(url.slice(mark + 1)).get('action') ?? '' };
}

function readBody(request: IncomingMessage, mostBytes: number, deadlineMs: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Buffer[] = [];
  let size = 0;
  const late = (): void => {
    stop();
    reject(new SpikeError('api_bad_request', 'the body did not arrive in time'));
  };
  const gone = (): void => {
    stop();
    reject(new SpikeError('api_bad_request', 'the connection ended before the body did'));
  };
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size <= mostBytes) {
      chunks.push(chunk);
      return;
    }
    stop();
    reject(tooLarge(mostBytes));
  };
  const finish = (): void => {
    stop();
    const [only] = chunks;
    resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size));
  };
  const timer = setTimeout(late, deadlineMs);
  const stop = (): void => {
    clearTimeout(timer);
    request.off('data', take).off('end', finish).off('close', gone);
  };
  request.on('data', take).on('end', finish).on('close', gone);
  return promise;
}

function tooLarge(mostBytes: number): SpikeError {
  return new SpikeError('api_payload_too_large', `this route takes at most ${mostBytes} bytes`);
}
