import { SpikeError } from '@spike/error';
import type { Malformed, VerifiedPeer } from '@spike/spiffe';
import type { Answer, Exchange } from './exchange.ts';

/** How long a caller that sent no request has to take the answer to it. */
const lingerMs = 1000;

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** Bytes that HTTP does not take for a request: recorded like one, answered with what can be said, and the end. */
export class MalformedExchange implements Exchange {
  readonly peer: VerifiedPeer;
  readonly method = '';
  readonly path = '';
  readonly action = '';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly contentType = undefined;
  readonly bodyBytes = 0;
  readonly refusal: SpikeError;
  readonly #malformed: Malformed;

  constructor(malformed: Malformed) {
    const { peer, code, socket, status } = malformed;
    this.peer = peer;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    this.refusal =
      status === 431 || status === 413
        ? new SpikeError('api_payload_too_large', 'the headers are larger than this server takes')
        : new SpikeError('api_bad_request', `this is no request of HTTP/1.1 (${code})`);
    this.#malformed = malformed;
  }

  readBody(): Promise<Uint8Array> {
    return Promise.reject(this.refusal);
  }

  onGone(): void {
    // Nothing is under way that could be ended.
  }

  answer({ headers, body }: Answer): void {
    const { socket, status } = this.#malformed;
    if (status === undefined || socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
    const lines = Object.entries({
      ...headers,
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
    });
    socket.write(
      `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    );
    socket.end(body, () => socket.destroy());
  }

  cut(): void {
    this.#malformed.socket.destroy();
  }
}
