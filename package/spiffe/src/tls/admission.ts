import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/**
 * The connections that have not proved yet who they are. Each has a deadline for its whole handshake (Node's
 * `handshakeTimeout` starts anew with every byte, so a peer that drips them would stay for ever), and only so many
 * are held: the oldest gives way to the newest, since an honest handshake takes milliseconds.
 */
export class Admission {
  readonly #pending = new Map<string, { readonly raw: Socket; readonly timer: NodeJS.Timeout }>();
  readonly #limits: { readonly handshakeMs: number; readonly maxUnverified: number };
  readonly #onCut: (raw: Socket, why: 'late' | 'crowded') => void;

  constructor(
    limits: { readonly handshakeMs: number; readonly maxUnverified: number },
    onCut: (raw: Socket, why: 'late' | 'crowded') => void,
  ) {
    this.#limits = limits;
    this.#onCut = onCut;
  }

  /** Watches a server from its first connection on. */
  attach(server: Server): void {
    server.on('connection', (raw: Socket) => this.#admit(raw));
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Takes a connection out whose handshake is done. `undefined` when it was cut in the meantime. */
  take(socket: TLSSocket): Socket | undefined {
    const key = endpoint(socket);
    if (key === undefined) return undefined;
    const entry = this.#pending.get(key);
    if (entry === undefined) return undefined;
    clearTimeout(entry.timer);
    this.#pending.delete(key);
    return entry.raw;
  }

  /** Without an RST: nothing was sent yet that a FIN could deliver. */
  destroyAll(): void {
    for (const { raw } of this.#pending.values()) raw.destroy();
  }

  #admit(raw: Socket): void {
    const key = endpoint(raw);
    if (key === undefined) {
      raw.destroy();
      return;
    }
    if (this.#pending.size >= this.#limits.maxUnverified) this.#cutOldest();
    const timer = setTimeout(() => this.#cut(key, 'late'), this.#limits.handshakeMs).unref();
    const entry = { raw, timer };
    this.#pending.set(key, entry);
    raw.once('close', () => {
      clearTimeout(timer);
      // The same port may already belong to a connection that came after this one.
      if (this.#pending.get(key) === entry) this.#pending.delete(key);
    });
  }

  #cutOldest(): void {
    const [oldest] = this.#pending.keys();
    if (oldest !== undefined) this.#cut(oldest, 'crowded');
  }

  #cut(key: string, why: 'late' | 'crowded'): void {
    const entry = this.#pending.get(key);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    this.#pending.delete(key);
    this.#onCut(entry.raw, why);
    entry.raw.destroy();
  }
}

/** What a TLS socket and the TCP socket below it have in common, and no other pair at the same time. */
function endpoint(socket: Socket): string | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress ?? ''} ${localPort ?? ''}`;
}
