import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SpiffeErrorCode } from '../error.ts';
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
  /** Verified or not, together. */
  readonly maxConnections: number;
  /** Of those, not verified yet; a quarter of all (and at least 16) unless told. */
  readonly maxUnverified?: number;
  readonly maxHeaderBytes: number;
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
  /** Key exchange groups in order of preference; `X25519MLKEM768`, then `X25519` unless told. */
  readonly groups?: readonly string[];
  /** May be called as often as strangers like: the caller limits what it does with it. */
  readonly onRefused?: (refusal: Refusal) => void;
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}
