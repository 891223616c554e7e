import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

interface Pending {
  readonly raw: Socket;
  readonly timer: NodeJS.Timeout;
  readonly origin: string;
}

/** Of all places: who holds more makes room for itself. Many may stand behind one address. */
const largePart = 1 / 8;

/**
 * The connections that have not proved yet who they are. Each has a deadline for its whole handshake (Node's
 * `handshakeTimeout` starts anew with every byte, so a peer that drips them would stay for ever), and only so many
 * are held: the oldest gives way to the newest, since an honest handshake takes milliseconds. From an address that
 * has a large part of them, it is the oldest of its own that does.
 */
export class Admission {
  readonly #pending = new Map<string, Pending>();
  /** The same, by where they come from. */
  readonly #byOrigin = new Map<string, Set<string>>();
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
    this.#forget(key, entry);
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
    const origin = originOf(raw.remoteAddress ?? '');
    if (this.#pending.size >= this.#limits.maxUnverified) this.#cutOldest(origin);
    const timer = setTimeout(() => this.#cut(key, 'late'), this.#limits.handshakeMs).unref();
    const entry = { raw, timer, origin };
    this.#pending.set(key, entry);
    const own = this.#byOrigin.get(origin);
    if (own === undefined) this.#byOrigin.set(origin, new Set([key]));
    else own.add(key);
    raw.once('close', () => {
      clearTimeout(timer);
      // The same port may already belong to a connection that came after this one.
      if (this.#pending.get(key) === entry) this.#forget(key, entry);
    });
  }

  #forget(key: string, { timer, origin }: Pending): void {
    clearTimeout(timer);
    this.#pending.delete(key);
    const own = this.#byOrigin.get(origin);
    own?.delete(key);
    if (own?.size === 0) this.#byOrigin.delete(origin);
  }

  #cutOldest(origin: string): void {
    const own = this.#byOrigin.get(origin);
    const isLarge = own !== undefined && own.size > this.#limits.maxUnverified * largePart;
    const [oldest] = isLarge ? own : this.#pending.keys();
    if (oldest !== undefined) this.#cut(oldest, 'crowded');
  }

  #cut(key: string, why: 'late' | 'crowded'): void {
    const entry = this.#pending.get(key);
    if (entry === undefined) return;
    this.#forget(key, entry);
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

/** Whoever has one address of IPv6 has the whole /64 around it. */
export function originOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(zeros).fill('0'), ...last].slice(0, 4).join(':');
}
