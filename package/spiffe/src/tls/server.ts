import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpiffeError } from '../error.ts';
import { currentOf, type IdentityChange, type IdentitySource } from '../source.ts';
import type { VerifiedPeer } from '../x509/verify.ts';
import { Admission } from './admission.ts';
import { buildSecureOptions, fitBundles, type FittedIdentity } from './material.ts';
import { verifyPeer } from './peer.ts';
import { endWith, faultStatus, isLate } from './malformed.ts';
import { Notice } from './notice.ts';
import { Occupancy } from './occupancy.ts';
import { codeOf, explainHandshake, explainRefusal, refusalOf } from './refusal.ts';
import { ServerConnection } from './server-connection.ts';
import type { Refusal, ServerLimits, ServerOptions, ServerTally, Unfit } from './server-option.ts';

/** Connections beyond a limit that are open at once to hear about it, and for how long; more are cut. */
const mostTurnedAway = 64;
const turnAwayMs = 2000;

/**
 * An HTTP/1.1 server that serves verified SPIFFE peers over TLS 1.3 and nobody else. Resolves when it listens; throws
 * the source's SpiffeError when there is no identity yet, `connection_failed` when the port cannot be had. `signal`
 * bounds the opening only: dispose of the server to end it.
 */
export async function openServer(options: ServerOptions, signal: AbortSignal): Promise<TlsServer> {
  if (signal.aborted) throw new SpiffeError('aborted', 'the server was not opened', { cause: signal.reason });
  const server = new TlsServer(options);
  await server.listen(options.host, options.port, signal);
  return server;
}

/** Owns its listener and every connection on it. Made by `openServer`. */
export class TlsServer implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #source: IdentitySource;
  readonly #https: Server;
  readonly #admission: Admission;
  readonly #occupancy: Occupancy;
  readonly #notice: Notice;
  readonly #tally = { refused: 0, crowded: 0, malformed: 0 };
  #turnedAway = 0;
  readonly #live = new Map<Socket, ServerConnection>();
  readonly #subscription: Disposable;
  #draining = false;
  #closed: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    const { limits } = options;
    this.#options = options;
    this.#source = options.source;
    const identity = fitBundles(options.source.current());
    this.#https = createHttpsServer(options, identity);
    this.#notice = new Notice(options);
    this.#notice.tell(identity);
    this.#occupancy = new Occupancy(limits);
    this.#https.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#serve(request, response),
    );
    this.#https.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      this.#serve(request, response, 'expectation'),
    );
    this.#https.on('connect', (_request: IncomingMessage, socket: Socket) =>
      this.#endMalformed('HTTP_CONNECT', socket),
    );
    this.#https.on('clientError', (error: Error, socket: Socket) =>
      this.#endMalformed(codeOf(error), socket),
    );
    this.#admission = new Admission(
      { handshakeMs: limits.handshakeMs, maxUnverified: mostUnverified(limits) },
      (raw, why) => this.#refuse(refusalOf(why, raw)),
    );
    this.#admission.attach(this.#https);
    // Before node:https attaches its HTTP parser to the socket.
    this.#https.prependListener('secureConnection', (socket: TLSSocket) => this.#admit(socket));
    this.#https.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      const refusal = explainHandshake(error, socket);
      // It went away, or was cut and reported then: nobody was refused.
      if (refusal.code !== 'connection_failed') this.#refuse(refusal);
    });
    this.#https.on('drop', (data?: { remoteAddress?: string }) => this.#refuse(refusalOf('full', data)));
    this.#subscription = options.source.subscribe((change) => this.#follow(change));
  }

  /** Where it listens. */
  get address(): { readonly host: string; readonly port: number } {
    const address = this.#https.address();
    if (address === null || typeof address === 'string')
      throw new SpiffeError('internal', 'the server is closed');
    return { host: address.address, port: address.port };
  }

  get url(): string {
    const { host, port } = this.address;
    return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /** How many connections are verified and open. */
  get connections(): number {
    return this.#live.size;
  }

  /** Counts since it was opened. */
  get tally(): ServerTally {
    return { ...this.#tally };
  }

  /** How many connections have not finished their handshake. */
  get unverified(): number {
    return this.#admission.size;
  }

  /** Who is at the other end of a connection of this server; `undefined` once it is closed. */
  peerOf(socket: Socket): VerifiedPeer | undefined {
    return this.#live.get(socket)?.verified.peer;
  }

  /** Cuts every connection, verified or not, without delivering what was not delivered yet. */
  resetAll(): void {
    this.#admission.destroyAll();
    for (const connection of this.#live.values()) connection.verified.reset();
  }

  /** Cuts the connections of these peers in the same way; answers how many. */
  resetPeers(isMeant: (peer: VerifiedPeer) => boolean): number {
    const meant = [...this.#live.values()].filter(({ verified }) => isMeant(verified.peer));
    for (const { verified } of meant) verified.reset();
    return meant.length;
  }

  /**
   * Takes no new connections, lets the answers that are under way end, and cuts what is left after `deadlineMs`.
   * Resolves when every connection is closed.
   */
  async closeGracefully(deadlineMs: number): Promise<void> {
    if (this.#closed === undefined) {
      this.#draining = true;
      this.#closed = new Promise((resolve) => {
        this.#https.close(() => {
          // Not before: what is still open has to feel a withdrawal.
          this.#subscription[Symbol.dispose]();
          resolve();
        });
      });
      this.#admission.destroyAll();
      for (const connection of this.#live.values()) connection.finish();
    }
    const timer = setTimeout(() => this.resetAll(), deadlineMs);
    await this.#closed;
    clearTimeout(timer);
    // The TLS sockets hear a little later than the TCP sockets below them.
    await Promise.all(
      [...this.#live.keys()].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.closeGracefully(0);
    this.resetAll();
    await closed;
  }

  /** For `openServer`. */
  async listen(host: string, port: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void =>
      reject(new SpiffeError('aborted', 'the server was not opened', { cause: signal.reason }));
    const fail = (cause: Error): void =>
      reject(
        new SpiffeError('connection_failed', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }),
      );
    signal.addEventListener('abort', abort, { once: true });
    this.#https.once('error', fail);
    this.#https.listen({ host, port }, () => resolve());
    try {
      await promise;
      // Without a listener a failing accept (no file descriptors left) would end the process.
      this.#https.on('error', (error) =>
        this.#refuse({ code: 'internal', message: error.message, remoteAddress: '' }),
      );
    } catch (error) {
      this.#subscription[Symbol.dispose]();
      this.#https.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#https.removeListener('error', fail);
    }
  }

  #admit(socket: TLSSocket): void {
    const raw = this.#admission.take(socket);
    if (raw === undefined || this.#draining) {
      socket.destroy();
      return;
    }
    try {
      const { svid, bundles, listed } = fitBundles(this.#source.current());
      const peer = verifyPeer(socket, bundles, this.#options.authorize, {
        as: 'client',
        isFiltered: listed === bundles,
      });
      const holder = peer.id.toString();
      const crowded = this.#occupancy.makeRoom(holder, this.#options.prefers?.(peer) === true);
      if (crowded !== undefined && !this.#mayHear(crowded, socket)) return;
      const connection = new ServerConnection({
        socket,
        raw,
        own: svid,
        peer,
        holder,
        crowded,
        onClose: () => {
          this.#live.delete(socket);
          this.#occupancy.remove(connection);
        },
      });
      this.#live.set(socket, connection);
      if (crowded === undefined) this.#occupancy.enter(connection);
    } catch (error) {
      this.#refuse(explainRefusal(error, socket));
      socket.destroy();
    }
  }

  /** Whether a peer for whom there is no place is told so; else its connection is cut. */
  #mayHear(why: 'peer' | 'all', socket: TLSSocket): boolean {
    this.#tally.crowded += 1;
    this.#options.onRefused?.(refusalOf(why, socket));
    if (this.#turnedAway >= mostTurnedAway) {
      socket.destroy();
      return false;
    }
    this.#turnedAway += 1;
    const timer = setTimeout(() => socket.destroy(), Math.min(turnAwayMs, this.#options.limits.headerMs));
    socket.once('close', () => {
      clearTimeout(timer);
      this.#turnedAway -= 1;
    });
    return true;
  }

  #serve(request: IncomingMessage, response: ServerResponse, flaw?: Unfit): void {
    const connection = this.#live.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    const isCrowded = connection.crowded !== undefined;
    const unfit = isCrowded ? 'crowded' : (flaw ?? (hasHost(request) ? undefined : 'no_host'));
    if (unfit === undefined) connection.serve(request, response, this.#options.handler, this.#draining);
    else if (connection.accept(response, true)) {
      if (!isCrowded) this.#tally.malformed += 1;
      this.#turnAway(request, response, connection.verified.peer, unfit);
    }
  }

  #turnAway(request: IncomingMessage, response: ServerResponse, peer: VerifiedPeer, why: Unfit): void {
    if (this.#options.onUnfit !== undefined) {
      this.#options.onUnfit(request, response, peer, why);
      return;
    }
    response.writeHead(why === 'crowded' ? 429 : 400, { 'Content-Length': 0 }).end();
  }

  /** HTTP gave up on a connection: because of what came, because nothing came, or because it is gone. */
  #endMalformed(code: string, socket: Socket): void {
    const connection = this.#live.get(socket);
    const status = faultStatus(code);
    // What fails before the handshake is done comes here, too.
    if (connection === undefined || status === undefined) {
      socket.destroy();
      return;
    }
    const { unanswered, crowded, isLast } = connection;
    if (connection.isFaulty || (isLast && unanswered.every((request) => request.complete))) return;
    connection.isFaulty = true;
    if (!isLate(code) && crowded === undefined) this.#tally.malformed += 1;
    const { onMalformed } = this.#options;
    const { peer } = connection.verified;
    if (unanswered.some((request) => request.complete)) {
      // An answer to something else would be taken for that of a request which is at work.
      if (crowded === undefined) onMalformed?.({ peer, code, status: undefined, socket });
      socket.destroy();
      return;
    }
    const isTold = onMalformed !== undefined && unanswered.length === 0 && !isLate(code);
    if (isTold && crowded === undefined) onMalformed({ peer, code, status, socket });
    else endWith(socket, status);
  }

  #follow(change: IdentityChange): void {
    if (change.kind === 'withdrawn') this.resetAll();
    if (change.kind !== 'updated') return;
    const current = currentOf(this.#source);
    if (current === undefined) {
      this.resetAll();
      return;
    }
    const identity = fitBundles(current);
    // A bundle that is as before may have lost its room to another one.
    const concerned = [...change.bundlesChanged, ...identity.omitted];
    for (const { verified } of this.#live.values())
      if (concerned.some((trustDomain) => verified.peer.id.memberOf(trustDomain)))
        verified.verifyAgain(identity.bundles);
    this.#https.setSecureContext(buildListedOptions(identity, this.#options.groups));
    this.#notice.tell(identity);
  }

  #refuse(refusal: Refusal): void {
    this.#tally.refused += 1;
    this.#options.onRefused?.(refusal);
  }
}

function buildListedOptions({ svid, listed }: FittedIdentity, groups: ServerOptions['groups']) {
  return buildSecureOptions({ svid, bundles: listed }, groups);
}

function createHttpsServer(options: ServerOptions, identity: FittedIdentity): Server {
  const { limits } = options;
  const server = createServer({
    ...buildListedOptions(identity, options.groups),
    requestCert: true,
    // Whether OpenSSL has to have verified the chain is known when there is one: verifyPeer refuses, as Node would, before HTTP.
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    // Admission is the one to cut; this only stands behind it.
    handshakeTimeout: 2 * limits.handshakeMs,
    headersTimeout: limits.headerMs,
    requestTimeout: Math.max(limits.headerMs, limits.requestMs),
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: checkingInterval(limits),
    maxHeaderSize: limits.maxHeaderBytes,
    // We look ourselves, so that a request without one is answered like every other.
    requireHostHeader: false,
  });
  // Places for everybody who is counted elsewhere: this only stands behind it.
  server.maxConnections =
    limits.maxConnections + (limits.reserved ?? 0) + mostUnverified(limits) + mostTurnedAway;
  // A peer that does not read its answer: no byte moves in either direction.
  server.timeout = 2 * Math.max(limits.requestMs, limits.idleMs);
  return server;
}

/** How late headers and requests may be noticed: a fifth of the limit, and neither a busy loop nor Node's 30 s. */
function checkingInterval(limits: ServerLimits): number {
  return Math.min(5000, Math.max(50, Math.floor(Math.min(limits.headerMs, limits.requestMs) / 5)));
}

function mostUnverified(limits: ServerLimits): number {
  return limits.maxUnverified ?? Math.max(16, Math.ceil(limits.maxConnections / 4));
}

/** RFC 9112 3.2: a server refuses a request of HTTP/1.1 without it. */
function hasHost(request: IncomingMessage): boolean {
  return request.headers.host !== undefined || request.httpVersionMinor === 0;
}
