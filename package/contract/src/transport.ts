import type { BodyKind } from './body.ts';

/** One request on its way to a server, which the transport knows already. */
export interface TransportRequest {
  readonly path: string;
  /** Empty when the route has none. */
  readonly action: string;
  readonly body: Uint8Array;
  /** JSON unless told. */
  readonly kind?: BodyKind;
  /** May be sent again when the transport does not know whether it arrived. */
  readonly repeatable: boolean;
  /** Of an administrator's session; goes into a header, and nowhere else. */
  readonly token?: string;
  readonly deadlineMs: number;
  readonly responseBytes: number;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly status: number;
  readonly body: Uint8Array;
  /** How long the server asks to wait before the next try. */
  readonly retryAfterMs?: number;
}

/**
 * How a client reaches a server. Throws SpikeError `net_peer_connection` and `net_timeout`, with `detail.sent` false
 * when the server has surely seen nothing of the request.
 */
export interface Transport {
  send(request: TransportRequest): Promise<TransportResponse>;
}
