import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SpiffeErrorCode } from '../error.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { IdentitySource } from '../source.ts';
import type { VerifiedPeer } from '../x509/verify.ts';
import type { Authorizer } from './authorizer.ts';

/** What one server is willing to spend on its peers. Times in milliseconds, none of them may be left out. */
export interface ServerLimits {
  /** From the TCP connection to the verified peer, as a whole. */
  readonly handshakeMs: number;
  /** From the first byte of a request (or the handshake) to the end of its headers. */
  readonly headerMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestMs: number;
  /** How long a verified connection may wait for its next request. */
  readonly idleMs: number;
  /** Verified connections together. Where they are as many, the one that has idled for longest gives way. */
  readonly maxConnections: number;
  /** Of those, of one SPIFFE ID; as many as all together unless told. Here, too, its longest idle one gives way. */
  readonly maxPerPeer?: number;
  /** Beyond `maxConnections`, for peers that `prefers` lets in before others when all are at work; none unless told. */
  readonly reserved?: number;
  /** Besides, connections that are not verified yet; a quarter of `maxConnections` (and at least 16) unless told. */
  readonly maxUnverified?: number;
  readonly maxHeaderBytes: number;
}

/** What a server has had to do with peers that it did not serve, since it was opened. */
export interface ServerTally {
  /** Connections that never came to be: see {@link Refusal}. */
  readonly refused: number;
  /** Connections of verified peers beyond a limit. */
  readonly crowded: number;
  /** Requests that are none by the rules of HTTP. */
  readonly malformed: number;
}

/** Why a request of a verified peer is not served, which HTTP itself has nothing against. */
export type Unfit = 'crowded' | 'no_host' | 'expectation';

/** Bytes of a verified peer that are no request. */
export interface Malformed {
  readonly peer: VerifiedPeer;
  /** Node's name for what is wrong. */
  readonly code: string;
  /** What the listener answers before it destroys the socket; `undefined` when the server has ended it. */
  readonly status: number | undefined;
  readonly socket: Socket;
}

/** A connection that did not come to be. Nothing in it is secret; `message` names what was wrong. */
export interface Refusal {
  readonly code: SpiffeErrorCode;
  readonly message: string;
  readonly remoteAddress: string | undefined;
}

/** Called for each request of a verified and authorized peer, and for nothing else. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse, peer: VerifiedPeer) => void;

export interface ServerOptions {
  readonly source: IdentitySource;
  /** Judges each new connection, after it was verified. */
  readonly authorize: Authorizer;
  readonly handler: RequestHandler;
  readonly limits: ServerLimits;
  /** Who gets the places that are `reserved`. */
  readonly prefers?: (peer: VerifiedPeer) => boolean;
  /** Answers what is not served, on a connection that ends with it; by a bare status unless told. */
  readonly onUnfit?: (
    request: IncomingMessage,
    response: ServerResponse,
    peer: VerifiedPeer,
    why: Unfit,
  ) => void;
  /** Answers what is no request; by a bare status unless told. */
  readonly onMalformed?: (malformed: Malformed) => void;
  /** Key exchange groups in order of preference; `X25519MLKEM768`, then `X25519` unless told. */
  readonly groups?: readonly string[];
  /** May be called as often as strangers like: the caller limits what it does with it. */
  readonly onRefused?: (refusal: Refusal) => void;
  /**
   * Trust domains whose peers are all refused, since the names of their authorities are more than a handshake has room
   * for. Called with the whole list when the server opens with some and whenever it is another one.
   */
  readonly onOmitted?: (trustDomains: readonly TrustDomain[]) => void;
  /**
   * Whether OpenSSL is given no authorities, since the names of our own are more than a handshake has room for: the
   * verifier then decides without its filter. Called when the server opens so and whenever it changes.
   */
  readonly onUnfiltered?: (isUnfiltered: boolean) => void;
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}
