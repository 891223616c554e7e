import { defaultMessageLimit } from './frame.ts';

/** What one client may cost the server. */
export interface GrpcServerLimit {
  /** Calls at the same time on one connection. */
  readonly streams: number;
  /** Bytes of all headers of one call. */
  readonly headerBytes: number;
  /** Bytes of one request message. */
  readonly messageBytes: number;
  /** How long a request may take to arrive whole. */
  readonly requestMs: number;
  /** How long a connection may be without a call. */
  readonly idleMs: number;
  /** How long a client may leave an answer unread before its connection is reset. */
  readonly stallMs: number;
}

export const defaultGrpcServerLimit: GrpcServerLimit = {
  streams: 32,
  headerBytes: 16 * 1024,
  messageBytes: defaultMessageLimit,
  requestMs: 5000,
  idleMs: 60_000,
  stallMs: 30_000,
};
