import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { X509Svid } from '../x509/svid.ts';
import type { VerifiedPeer } from '../x509/verify.ts';
import { VerifiedConnection } from './connection.ts';
import type { Crowded, Occupant } from './occupancy.ts';
import type { RequestHandler } from './server-option.ts';

/**
 * How many requests may wait for each other on one connection. Node hands on what is pipelined as fast as it arrives
 * and keeps all answers in memory until their turn comes, so that a peer which sends and never reads could fill it.
 */
const mostUnfinished = 16;

/** A peer's connection as its server sees it: the last answer on it says whether it idles. */
export class ServerConnection implements Occupant {
  readonly verified: VerifiedConnection;
  readonly holder: string;
  /** Why nothing is served on it: it is open for one answer that says so. */
  readonly crowded: Crowded | undefined;
  /** HTTP gave up on it: whatever else arrives is of no interest. */
  isFaulty = false;
  #response: ServerResponse | undefined;
  /** Answers that are not out yet, and perhaps some that are: looked through at each request. */
  #unfinished: readonly ServerResponse[] = [];
  #lastAt = Date.now();
  /** The answer under way ends the connection: whatever was sent behind its request is not for us. */
  #isLast = false;

  constructor(options: {
    socket: TLSSocket;
    raw: Socket;
    own: X509Svid;
    peer: VerifiedPeer;
    holder: string;
    crowded: Crowded | undefined;
    onClose: () => void;
  }) {
    this.holder = options.holder;
    this.crowded = options.crowded;
    // Node warns of a leak from eleven on, and each request that is under way may listen for the end.
    options.socket.setMaxListeners(4 * mostUnfinished);
    this.verified = new VerifiedConnection({
      ...options,
      role: {
        as: 'client',
        finishAt: (life) => life.closeIdleAt,
        // After the loop has read what arrived meanwhile: a request that is here already must not meet a close.
        finish: () => {
          setImmediate(() => {
            // One that was opened late has its first request to come, and the deadline for headers if it has none.
            if (this.#response !== undefined) this.finish();
          });
        },
      },
    });
  }

  get isLast(): boolean {
    return this.#isLast;
  }

  get idleSince(): number | undefined {
    const response = this.#response;
    return response === undefined || response.writableFinished ? this.#lastAt : undefined;
  }

  /** Requests whose headers came and whose answers are not out yet. */
  get unanswered(): readonly IncomingMessage[] {
    return this.#unfinished.filter((answer) => !answer.writableFinished).map((answer) => answer.req);
  }

  /** Whether one more request may be handed on, with `isLast` none after it; cuts the connection where it may not. */
  accept(response: ServerResponse, isLast: boolean): boolean {
    const now = Date.now();
    // A request may come out of bytes that were read before the connection was cut.
    if (!this.verified.isOpen || this.#isLast) return false;
    if (this.verified.isExpired(now)) {
      this.verified.reset();
      return false;
    }
    this.#unfinished = [...this.#unfinished.filter((answer) => !answer.writableFinished), response];
    if (this.#unfinished.length > mostUnfinished) {
      this.verified.reset();
      return false;
    }
    if (isLast || this.verified.isRetired(now)) this.#end(response);
    this.#response = response;
    this.#lastAt = now;
    return true;
  }

  /** Hands one request on; its answer tells the peer to go away when the connection grows old, or the server ends. */
  serve(
    request: IncomingMessage,
    response: ServerResponse,
    handler: RequestHandler,
    draining: boolean,
  ): void {
    if (this.accept(response, draining)) handler(request, response, this.verified.peer);
  }

  /** Ends the connection after the answer that is under way, or now. */
  finish(): void {
    const response = this.#response;
    if (response === undefined || response.writableFinished || response.destroyed) {
      this.verified.end();
      return;
    }
    if (!response.headersSent) this.#end(response);
    response.once('finish', () => this.verified.end());
  }

  #end(response: ServerResponse): void {
    response.setHeader('Connection', 'close');
    this.#isLast = true;
  }

  leave(): void {
    this.verified.end();
  }
}
