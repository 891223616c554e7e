import type { SpikeError } from '@spike/error';
import type { VerifiedPeer } from '@spike/spiffe';

/** One request and the way to answer it, without HTTP: sockets and tests look the same to `dispatch`. */
export interface Exchange {
  readonly peer: VerifiedPeer;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly method: string;
  readonly path: string;
  /** First value of the query's `action`; empty when there is none. */
  readonly action: string;
  /** As it came, parameters included. */
  readonly contentType: string | undefined;
  /** What came as `Authorization: Bearer`: for the session alone, never for a log. Undefined for none. */
  readonly token?: string | undefined;
  /** As the caller announced it; undefined when it did not. */
  readonly bodyBytes: number | undefined;
  /** What the server has against it, whatever it asks for: it is recorded, and answered with this. */
  readonly refusal?: SpikeError | undefined;
  /** Throws SpikeError `api_payload_too_large`, and `api_bad_request` for a body that does not come in time or to its end, `limit_exceeded` when others' do not either. */
  readBody(mostBytes: number, deadlineMs: number): Promise<Uint8Array>;
  /** Calls back when the caller goes away before it has its answer. */
  onGone(listener: () => void): void;
  answer(answer: Answer): void;
  /** Ends the connection without an answer. */
  cut(): void;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Text goes out as UTF-8. */
  readonly body: Uint8Array | string;
}
