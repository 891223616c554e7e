import { contentTypes, type Transport, type TransportRequest, type TransportResponse } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { isUnsent, SpiffeError, type TlsPool } from '@spike/spiffe';

export interface PoolTransportOptions {
  readonly pool: TlsPool;
  /** Where the server is; routes are appended to its path. */
  readonly url: string | URL;
  /** The key exchange that a connection must have agreed on before a request is written, such as `X25519MLKEM768`. */
  readonly requireGroup?: string;
}

/** The way to a server over verified mTLS. */
export function createPoolTransport(options: PoolTransportOptions): Transport {
  const root = new URL(options.url);
  return { send: (request) => send(options, root, request) };
}

async function send(
  options: PoolTransportOptions,
  root: URL,
  request: TransportRequest,
): Promise<TransportResponse> {
  const url = new URL(root);
  url.pathname = `${root.pathname.replace(/\/+$/, '')}${request.path}`;
  url.search = request.action === '' ? '' : `action=${request.action}`;
  try {
    const { status, headers, body } = await options.pool.request({
      method: 'POST',
      url,
      headers: {
        'Content-Type': contentTypes[request.kind ?? 'json'],
        ...(request.token === undefined ? {} : { Authorization: `Bearer ${request.token}` }),
      },
      body: request.body,
      timeoutMs: request.deadlineMs,
      maxResponseBytes: request.responseBytes,
      idempotent: request.repeatable,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      ...(options.requireGroup === undefined ? {} : { requireGroup: options.requireGroup }),
    });
    const retryAfterMs = readRetryAfter(headers['retry-after']);
    return { status, body, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  } catch (thrown) {
    request.signal?.throwIfAborted();
    throw toNetError(thrown, root.host);
  }
}

/** Seconds; the other form, a date, is of no use between two clocks. */
function readRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined;
}

/** What the SPIFFE library says, in the codes of SPIKE. */
export function toNetError(thrown: unknown, host: string): SpikeError {
  if (thrown instanceof SpikeError) return thrown;
  if (!(thrown instanceof SpiffeError)) {
    return new SpikeError('net_peer_connection', `the request to ${host} failed`, {
      cause: thrown,
      detail: { sent: true },
    });
  }
  const sent = !isUnsent(thrown);
  const options = { cause: thrown, detail: { sent, reason: thrown.code } };
  const { code, message } = thrown;
  if (code === 'deadline_exceeded')
    return new SpikeError('net_timeout', `${host} did not answer in time`, options);
  if (code === 'identity_withdrawn' || code === 'identity_expired' || isWithdrawal(thrown.cause))
    return new SpikeError('identity_withdrawn', message, options);
  // Anything else: somebody answered there, and it is not whom we want to speak to, or not in a way that we understand.
  const refused = code !== 'connection_failed' && code !== 'connection_lost' && code !== 'aborted';
  return new SpikeError('net_peer_connection', `${host}: ${message}`, {
    cause: thrown,
    detail: { ...options.detail, refused },
  });
}

/** Our own identity went while the request was under way. */
function isWithdrawal(cause: unknown): boolean {
  return cause instanceof SpiffeError && cause.code === 'identity_withdrawn';
}
