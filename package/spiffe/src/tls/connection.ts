import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { VerifiedPeer } from '../x509/verify.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import { verifyX509Svid } from '../x509/verify.ts';
import { measureLife, type ConnectionLife } from './life.ts';
import type { X509Svid } from '../x509/svid.ts';

/** Wall clocks are set and machines sleep, and timers know neither: look again at least so often. */
const maxTimerMs = 60_000;

/** What the two ends do differently when a connection grows old, or its peer is judged again. */
export interface ConnectionRole {
  /** What the peer is to us. */
  readonly as: 'client' | 'server';
  readonly finishAt: (life: ConnectionLife) => number;
  /** Ends the connection as soon as nothing is under way on it. */
  readonly finish: () => void;
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
    this.#schedule(Date.now());
  }

  get peer(): VerifiedPeer {
    return this.#peer;
  }

  get life(): ConnectionLife {
    return this.#life;
  }

  /** Whether new requests have to go elsewhere. */
  isRetired(now: number): boolean {
    return now >= this.#life.retireAt || !this.isOpen;
  }

  /** False from the reset on, although the TLS socket hears of it a turn later. */
  get isOpen(): boolean {
    return !this.#raw.destroyed && !this.socket.destroyed;
  }

  isExpired(now: number): boolean {
    return now >= this.#life.expireAt;
  }

  /** Judges the chain that the peer showed again, by the bundles of now; resets the connection when it fails. */
  verifyAgain(bundles: X509BundleSet): void {
    try {
      const chain = [this.#peer.leaf, ...this.#peer.intermediates];
      this.#peer = verifyX509Svid(chain, bundles, { as: this.#role.as });
    } catch {
      this.reset();
      return;
    }
    this.#life = measureLife(this.#own, this.#peer);
    this.#schedule(Date.now());
  }

  /** Ends it in good order: everything written is delivered first. */
  end(): void {
    this.socket.end(() => this.socket.destroy());
  }

  /**
   * Ends it at once, with an RST: what the peer has not received yet is dropped, which a FIN would still deliver.
   * TLSSocket has no reset, so it is the TCP socket below that gets it, and takes the TLS one with it when it closes.
   * To destroy that one too, in the same turn, has been seen to crash Node 26.10 during a handshake. And after the
   * FIN is sent, libuv refuses a reset and Node then keeps the descriptor for ever: all data is out, so destroy.
   */
  reset(): void {
    if (!this.isOpen) return;
    if (this.socket.writableEnded && this.socket.writableLength === 0) this.socket.destroy();
    else this.#raw.resetAndDestroy();
  }

  #tick(): void {
    const now = Date.now();
    if (this.isExpired(now)) {
      this.reset();
      return;
    }
    if (now >= this.#role.finishAt(this.#life)) this.#role.finish();
    this.#schedule(now);
  }

  #schedule(now: number): void {
    clearTimeout(this.#timer);
    const finishAt = this.#role.finishAt(this.#life);
    const next = now < finishAt ? finishAt : this.#life.expireAt;
    const wait = Math.min(maxTimerMs, Math.max(1, Math.ceil(next - now)));
    this.#timer = setTimeout(() => this.#tick(), wait).unref();
  }
}
