import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { VerifiedPeer } from '../x509/verify.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import { verifyX509Svid } from '../x509/verify.ts';
import { measureLife, type ConnectionLife } from './life.ts';
import type { X509Svid } from '../x509/svid.ts';

/** Wall clocks are set and machines sleep, and timers know neither: look again at least so often. */
const maxTimerMs = 60_000;

/** What the two ends do differently when a connection grows old. */
export interface ConnectionRole {
  readonly finishAt: (life: ConnectionLife) => number;
  /** Ends the connection as soon as nothing is under way on it. May be called before the constructor returns. */
  readonly finish: (connection: VerifiedConnection) => void;
}

/** A verified connection and the clock that ends it. It owns both sockets; `onClose` runs once, however it ends. */
export class VerifiedConnection {
  readonly socket: TLSSocket;
  readonly #raw: Socket;
  readonly #own: X509Svid;
  readonly #role: ConnectionRole;
  #peer: VerifiedPeer;
  #life: ConnectionLife;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    socket: TLSSocket;
    raw: Socket;
    own: X509Svid;
    peer: VerifiedPeer;
    role: ConnectionRole;
    onClose: () => void;
  }) {
    this.socket = options.socket;
    this.#raw = options.raw;
    this.#own = options.own;
    this.#peer = options.peer;
    this.#role = options.role;
    this.#life = measureLife(options.own, options.peer);
    this.socket.once('close', () => {
      clearTimeout(this.#timer);
      options.onClose();
    });
    this.#arm();
  }

  get peer(): VerifiedPeer {
    return this.#peer;
  }

  get life(): ConnectionLife {
    return this.#life;
  }

  /** Whether new requests have to go elsewhere. */
  isRetired(now: number): boolean {
    return now >= this.#life.retireAt || this.socket.destroyed;
  }

  isExpired(now: number): boolean {
    return now >= this.#life.expireAt;
  }

  /** Judges the chain that the peer showed again, by the bundles of now; resets the connection when it fails. */
  verifyAgain(bundles: X509BundleSet): void {
    try {
      this.#peer = verifyX509Svid([this.#peer.leaf, ...this.#peer.intermediates], bundles);
    } catch {
      this.reset();
      return;
    }
    this.#life = measureLife(this.#own, this.#peer);
    this.#arm();
  }

  /** Ends it in good order: everything written is delivered first. */
  end(): void {
    this.socket.end(() => this.socket.destroy());
  }

  /** Ends it at once: what was not delivered yet is dropped, by an RST where the kernel grants one. */
  reset(): void {
    resetSocket(this.#raw, this.socket);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    if (this.isExpired(now)) {
      this.reset();
      return;
    }
    const finishAt = this.#role.finishAt(this.#life);
    if (now >= finishAt) this.#role.finish(this);
    const next = now < finishAt ? finishAt : this.#life.expireAt;
    const wait = Math.min(maxTimerMs, Math.max(1, Math.ceil(next - now)));
    this.#timer = setTimeout(() => this.#arm(), wait).unref();
  }
}

/** TLSSocket has no reset of its own: the TCP socket below it does. */
export function resetSocket(raw: Socket, socket?: TLSSocket): void {
  if (!raw.destroyed) raw.resetAndDestroy();
  socket?.destroy();
}
