import { createSecureContext, type SecureContext } from 'node:tls';
import { SpiffeError, type SpiffeErrorCode } from '../error.ts';
import { currentOf, type Identity, type IdentityChange } from '../source.ts';
import { connectVerified, type Target } from './connect.ts';
import { asSpiffeError, Deadline } from './deadline.ts';
import { exchange } from './exchange.ts';
import { buildSecureOptions } from './material.ts';
import { Origin } from './origin.ts';
import { verifyPeer, readGroup } from './peer.ts';
import { PoolConnection } from './pool-connection.ts';
import type { PoolOptions, PoolRequest, PoolResponse } from './pool-option.ts';

/** A pool of connections to verified servers. Connects to nobody before the first request. */
export function openPool(options: PoolOptions): TlsPool {
  return new TlsPool(options);
}

/** Owns its connections. Made by `openPool`. */
export class TlsPool implements Disposable {
  readonly #options: PoolOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #live = new Set<PoolConnection>();
  readonly #closing = new AbortController();
  readonly #subscription: Disposable;
  #context: { readonly identity: Identity; readonly secure: SecureContext } | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#subscription = options.source.subscribe((change) => this.#follow(change));
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#live.size;
  }

  /**
   * Sends a request and reads the whole answer, whatever its status is. The code of the SpiffeError that it throws
   * says what may have happened: `connection_lost`, `deadline_exceeded`, `aborted` and `limit_exceeded` leave open
   * whether the server has acted (`isUnsent` tells); with every other code, not a byte of the request was sent.
   */
  async request(request: PoolRequest): Promise<PoolResponse> {
    const url = parseUrl(request.url);
    using deadline = new Deadline(request, this.#closing.signal);
    return await this.#attempt(url, request, deadline.signal, false);
  }

  /** Cuts every connection; requests that are under way fail. */
  resetAll(): void {
    for (const { verified } of this.#live) verified.reset();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#closing.abort(new SpiffeError('aborted', 'the pool is closed'));
    this.resetAll();
  }

  async #attempt(url: URL, request: PoolRequest, signal: AbortSignal, fresh: boolean): Promise<PoolResponse> {
    const target = targetOf(url);
    const connection = await this.#acquire(target, signal, fresh);
    if (request.requireGroup !== undefined && connection.group !== request.requireGroup) {
      connection.verified.end();
      throw wrongGroup(connection.group, request.requireGroup);
    }
    const reused = connection.reused;
    const outcome = await exchange(connection, target, url, request, signal);
    if (outcome.kind === 'answered') return outcome.response;
    const harmless = outcome.error.code === 'connection_failed' || request.idempotent === true;
    // Servers close idle connections, and the news crosses our request: not so on a connection that is new.
    if (reused && !fresh && outcome.unanswered && harmless) return this.#attempt(url, request, signal, true);
    throw this.#explain(outcome.error);
  }

  /** That the connection was lost because we lost our identity, and the far side has nothing to do with it. */
  #explain(error: SpiffeError): SpiffeError {
    if (error.code !== 'connection_lost' || this.#options.source.state !== 'withdrawn') return error;
    const cause = new SpiffeError('identity_withdrawn', 'our identity was withdrawn', { cause: error });
    return new SpiffeError(
      'connection_lost',
      'our identity was withdrawn while the request was under way, so that it may have been done or not',
      { cause },
    );
  }

  async #acquire(target: Target, signal: AbortSignal, fresh: boolean): Promise<PoolConnection> {
    // Expired or withdrawn: no connection of it is left to be found idle, and none is opened.
    this.#options.source.current();
    const key = `${target.host} ${target.port}`;
    const origin = this.#origins.get(key) ?? this.#addOrigin(key, target);
    try {
      return await origin.acquire(fresh, signal);
    } catch (error) {
      const cause = asSpiffeError(error);
      if (cause.code !== 'deadline_exceeded') throw cause;
      throw new SpiffeError('connection_failed', `no connection to ${target.host}:${target.port} in time`, {
        cause,
      });
    } finally {
      if (origin.unused) this.#origins.delete(key);
    }
  }

  #addOrigin(key: string, target: Target): Origin {
    const origin = new Origin(this.#options.maxSockets ?? 8, (signal) => this.#open(origin, target, signal));
    this.#origins.set(key, origin);
    return origin;
  }

  async #open(origin: Origin, target: Target, signal: AbortSignal): Promise<PoolConnection> {
    const { identity, secure } = this.#secureContext();
    using deadline = new Deadline(
      { signal, timeoutMs: this.#options.connectMs ?? 5000 },
      this.#closing.signal,
    );
    return await connectVerified(
      target,
      secure,
      (socket, raw) => {
        // Of now, not of when the connection was begun, unlike the SVID, which the server has seen.
        const { bundles } = this.#options.source.current();
        const peer = verifyPeer(socket, bundles, this.#options.authorize, { as: 'server' });
        const required = this.#options.requireGroup;
        if (required !== undefined && readGroup(socket) !== required)
          throw wrongGroup(readGroup(socket), required);
        const connection: PoolConnection = new PoolConnection({
          socket,
          raw,
          own: identity.svid,
          peer,
          idleMs: this.#options.idleMs ?? 30_000,
          onFree: () => origin.release(connection),
          onClose: () => {
            this.#live.delete(connection);
            origin.forget(connection);
            if (origin.unused) this.#origins.delete(`${target.host} ${target.port}`);
          },
        });
        this.#live.add(connection);
        return connection;
      },
      deadline.signal,
    );
  }

  /** One context for each generation of the identity: parsing key and certificates costs as much as half a handshake. */
  #secureContext(): { readonly identity: Identity; readonly secure: SecureContext } {
    const identity = this.#options.source.current();
    const known = this.#context;
    if (known?.identity.svid === identity.svid && known.identity.bundles === identity.bundles) return known;
    const secure = createSecureContext(buildSecureOptions(identity, this.#options.groups));
    this.#context = { identity, secure };
    return this.#context;
  }

  #follow(change: IdentityChange): void {
    if (change.kind === 'withdrawn') {
      this.#context = undefined;
      this.resetAll();
    }
    if (change.kind !== 'updated') return;
    const identity = currentOf(this.#options.source);
    if (identity === undefined) {
      this.resetAll();
      return;
    }
    const { bundles } = identity;
    for (const { verified } of this.#live) {
      const concerned = change.bundlesChanged.some((trustDomain) => verified.peer.id.memberOf(trustDomain));
      if (concerned) verified.verifyAgain(bundles);
    }
  }
}

/** Whether a request that failed with this error was surely not seen by the server, so that it may be sent again. */
export function isUnsent(error: SpiffeError): boolean {
  return !sentCodes.has(error.code);
}

const sentCodes: ReadonlySet<SpiffeErrorCode> = new Set<SpiffeErrorCode>([
  'connection_lost',
  'deadline_exceeded',
  'aborted',
  'limit_exceeded',
  'internal',
]);

function parseUrl(text: string | URL): URL {
  const url = typeof text === 'string' ? URL.parse(text) : text;
  if (url === null || url.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new SpiffeError('invalid_argument', 'the address must be an https URL without a user');
  }
  return url;
}

function targetOf(url: URL): Target {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return { host, port: url.port === '' ? 443 : Number(url.port) };
}

function wrongGroup(group: string, required: string): SpiffeError {
  return new SpiffeError('peer_refused', `the connection agreed on ${group} and not on ${required}`);
}
