import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { X509Svid } from '../x509/svid.ts';
import type { VerifiedPeer } from '../x509/verify.ts';
import { VerifiedConnection } from './connection.ts';
import { longestTimerMs } from './deadline.ts';
import { readGroup } from './peer.ts';

/** A server's connection as the pool sees it. */
export class PoolConnection {
  readonly verified: VerifiedConnection;
  readonly group: string;
  /** Gives this one socket to node:https, and nothing when it is gone. */
  readonly agent: Agent;
  /** How many requests it has carried before the one that is under way. */
  #served = 0;
  /** From the start: a connection is opened for a request, also for one past 90 %, which carries just that one. */
  #busy = true;
  #idleTimer: NodeJS.Timeout | undefined;
  #idleUntil = 0;
  readonly #idleMs: number;
  readonly #onFree: () => void;

  constructor(options: {
    socket: TLSSocket;
    raw: Socket;
    own: X509Svid;
    peer: VerifiedPeer;
    idleMs: number;
    /** The answer was read to its end, and the connection is good for another request. */
    onFree: () => void;
    onClose: () => void;
  }) {
    this.#idleMs = options.idleMs;
    this.#onFree = options.onFree;
    this.group = readGroup(options.socket);
    this.verified = new VerifiedConnection({
      socket: options.socket,
      raw: options.raw,
      own: options.own,
      peer: options.peer,
      onClose: () => {
        clearTimeout(this.#idleTimer);
        options.onClose();
      },
      role: {
        as: 'server',
        // A client stops before its server does, so that no request crosses a close.
        finishAt: (life) => life.retireAt,
        finish: () => {
          if (!this.#busy) this.verified.end();
        },
      },
    });
    this.agent = new SingleSocketAgent(options.socket, () => this.#free());
  }

  /** Whether a request was answered on it before: a server may close such a connection at any moment. */
  get reused(): boolean {
    return this.#served > 0;
  }

  take(): void {
    clearTimeout(this.#idleTimer);
    this.#busy = true;
  }

  /** Whether a request may still be written to it. */
  isUsable(now: number): boolean {
    return !this.verified.isRetired(now) && now < this.#idleUntil && this.verified.socket.writable;
  }

  /** Heeds the server's `Keep-Alive: timeout=N` (RFC 2068 19.7.1.1), with a second to spare for the way there. */
  heed(hint: string | undefined): void {
    const seconds = /(?:^|[ ,;])timeout=(\d{1,9})/.exec(hint ?? '')?.[1];
    const granted = seconds === undefined ? Infinity : Number(seconds) * 1000 - 1000;
    this.#idleUntil = Date.now() + Math.min(this.#idleMs, granted, longestTimerMs);
  }

  #free(): boolean {
    const now = Date.now();
    this.#served += 1;
    this.#busy = false;
    if (!this.isUsable(now)) return false;
    // A clock that was put back makes it long, and a timer that is too long fires at once.
    const leftMs = Math.min(longestTimerMs, Math.max(1, this.#idleUntil - now));
    this.#idleTimer = setTimeout(() => this.verified.end(), leftMs).unref();
    this.#onFree();
    return true;
  }
}

/** An agent that has exactly one connection, opened and verified elsewhere, and never makes another. */
class SingleSocketAgent extends Agent {
  readonly #onFree: () => boolean;
  #socket: TLSSocket | undefined;

  constructor(socket: TLSSocket, onFree: () => boolean) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1, maxCachedSessions: 0 });
    this.#socket = socket;
    this.#onFree = onFree;
  }

  override createConnection(): Duplex {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.destroyed) throw new Error('the connection is gone');
    return socket;
  }

  override getName(): string {
    return '';
  }

  override keepSocketAlive(socket: Duplex): boolean {
    super.keepSocketAlive(socket);
    return this.#onFree();
  }
}
