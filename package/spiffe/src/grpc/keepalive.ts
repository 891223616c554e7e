import type { ClientHttp2Session } from 'node:http2';
import { SpiffeError } from '../error.ts';

/**
 * The frame that asks the other side for a sign of life. Both have an acknowledgement that the peer must send (RFC
 * 9113, 6.5 and 6.7). grpc-go, and with it SPIRE, takes PING frames more often than every five minutes for abuse and
 * ends the connection, but has nothing against SETTINGS.
 */
export type Probe = 'ping' | 'settings';

/** Calls `fail` once when an HTTP/2 session was silent for too long: a peer that hangs closes no socket. */
export class Keepalive implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #probe: Probe;
  readonly #timer: NodeJS.Timeout;
  #heardAt = performance.now();
  #waiting = false;

  constructor(
    session: ClientHttp2Session,
    option: { readonly pingMs: number; readonly silenceMs: number; readonly probe: Probe },
    fail: (error: SpiffeError) => void,
  ) {
    this.#session = session;
    this.#probe = option.probe;
    let tickedAt = this.#heardAt;
    this.#timer = setInterval(() => {
      const now = performance.now();
      // It was us who did not listen: a process that was stopped or busy has answers waiting that it has not read.
      if (now - tickedAt > option.pingMs + option.silenceMs / 2) this.#heardAt = now;
      tickedAt = now;
      if (now - this.#heardAt >= option.silenceMs) {
        clearInterval(this.#timer);
        fail(new SpiffeError('connection_failed', `the server was silent for ${option.silenceMs} ms`));
      } else {
        this.#ask();
      }
    }, option.pingMs);
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #ask(): void {
    // One question at a time is enough to hear silence, and spares a slow peer a queue of them.
    if (this.#waiting || this.#session.connecting || this.#session.destroyed || this.#session.closed) return;
    this.#waiting = true;
    const answered = (error: Error | null): void => {
      this.#waiting = false;
      if (error === null) this.heard();
    };
    if (this.#probe === 'ping') this.#session.ping(answered);
    else this.#session.settings({}, answered);
  }
}
