import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { IdentitySource } from '../source.ts';
import type { VerifiedPeer } from '../x509/verify.ts';
import type { Authorizer } from './authorizer.ts';

export interface PoolOptions {
  readonly source: IdentitySource;
  /** Judges each server, after it was verified and before a byte is sent to it. Host names prove nothing here. */
  readonly authorize: Authorizer;
  /** Key exchange groups to offer, in order of preference; `X25519MLKEM768`, then `X25519` unless told. */
  readonly groups?: readonly string[];
  /** Refuses connections that agreed on another group, whatever was offered. */
  readonly requireGroup?: string;
  /** Connections to one origin; 8 unless told. Further requests wait in line. */
  readonly maxSockets?: number;
  /** From the first packet to the verified server, in milliseconds; 5,000 unless told. */
  readonly connectMs?: number;
  /** How long a connection may wait for its next request, in milliseconds; 30,000 unless told, less if the server says so. */
  readonly idleMs?: number;
}

export interface PoolRequest {
  readonly method: string;
  readonly url: string | URL;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | string;
  readonly signal?: AbortSignal;
  /** For everything: waiting in line, connecting, sending and the whole answer. */
  readonly timeoutMs: number;
  /** 1 MiB unless told. */
  readonly maxResponseBytes?: number;
  /** Doing it twice is doing it once: it may be sent again when a reused connection turns out to be dead. */
  readonly idempotent?: boolean;
  /** As the pool's, for this request alone. */
  readonly requireGroup?: string;
}

export interface PoolResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Who answered. */
  readonly peer: VerifiedPeer;
  /** The key exchange of the connection, for example `X25519MLKEM768`. */
  readonly group: string;
}
