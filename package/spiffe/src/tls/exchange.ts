import { request as sendRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { SpiffeError } from '../error.ts';
import type { Target } from './connect.ts';
import { asSpiffeError } from './deadline.ts';
import type { PoolConnection } from './pool-connection.ts';
import type { PoolRequest, PoolResponse } from './pool-option.ts';
import { codeOf } from './refusal.ts';

const defaultMaxResponseBytes = 1024 * 1024;

/** What the far side says by a TLS alert when it refuses our certificate (RFC 8446 6.2): it read no request then. */
const identityAlert = /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/;

/** What became of a request. `unanswered`: the connection ended before a byte of an answer came. */
export type Outcome =
  | { readonly kind: 'answered'; readonly response: PoolResponse }
  | { readonly kind: 'failed'; readonly error: SpiffeError; readonly unanswered: boolean };

/**
 * One request and its whole answer. Fails with `connection_failed` when nothing was sent, `connection_lost` when
 * the outcome is unknown, `limit_exceeded` when the answer is too large, or with what `signal` gives as its reason.
 */
export async function exchange(
  connection: PoolConnection,
  target: Target,
  url: URL,
  request: PoolRequest,
  signal: AbortSignal,
): Promise<Outcome> {
  const { socket, peer } = connection.verified;
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const writtenBefore = socket.bytesWritten;
  const reused = connection.reused;
  let answered = false;
  const outgoing: ClientRequest = sendRequest({
    agent: connection.agent,
    host: target.host,
    port: target.port,
    method: request.method,
    path: url.pathname + url.search,
    headers: { ...request.headers, ...lengthOf(request) },
  });
  const fail = (error: SpiffeError, unanswered: boolean): void => {
    resolve({ kind: 'failed', error, unanswered });
    outgoing.destroy();
    connection.verified.reset();
  };
  const abort = (): void => fail(asSpiffeError(signal.reason), false);
  signal.addEventListener('abort', abort, { once: true });
  outgoing.on('error', (error) => {
    const sent = socket.bytesWritten !== writtenBefore;
    // The parser complains about bytes: so some came.
    const unanswered = !answered && !codeOf(error).startsWith('HPE_');
    fail(
      explainLoss(error, { sent, reused, unanswered, where: `${target.host}:${target.port}` }),
      unanswered,
    );
  });
  outgoing.once('response', (incoming) => {
    answered = true;
    connection.heed(incoming.headers['keep-alive']?.toString());
    readBody(incoming, request.maxResponseBytes ?? defaultMaxResponseBytes).then(
      (body) => {
        const status = incoming.statusCode ?? 0;
        const response = { status, headers: incoming.headers, body, peer, group: connection.group };
        resolve({ kind: 'answered', response });
      },
      (error: unknown) => fail(asLoss(error), false),
    );
  });
  if (signal.aborted) abort();
  else outgoing.end(request.body);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Said aloud, because Node would send a body in chunks otherwise, and a POST without one without a length. */
function lengthOf(request: PoolRequest): { 'content-length'?: number } {
  if (request.body !== undefined) return { 'content-length': Buffer.byteLength(request.body) };
  return request.method === 'GET' || request.method === 'HEAD' ? {} : { 'content-length': 0 };
}

async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes)
      throw new SpiffeError('limit_exceeded', `the answer is larger than ${maxBytes} bytes`);
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size);
}

function explainLoss(
  cause: Error,
  known: { sent: boolean; reused: boolean; unanswered: boolean; where: string },
): SpiffeError {
  const code = codeOf(cause);
  if (!known.sent) {
    return new SpiffeError('connection_failed', `the connection to ${known.where} was gone: ${code}`, {
      cause,
    });
  }
  if (known.unanswered && !known.reused && identityAlert.test(code)) {
    return new SpiffeError('connection_failed', `${known.where} refuses our identity: ${code}`, { cause });
  }
  // TLS 1.3 lets a client send before its server has judged the client's certificate, and many just hang up.
  const hint = known.unanswered && !known.reused ? '; it may have refused our identity' : '';
  return new SpiffeError(
    'connection_lost',
    `${known.where} ended the connection before its answer: ${code}${hint}`,
    {
      cause,
    },
  );
}

function asLoss(error: unknown): SpiffeError {
  if (error instanceof SpiffeError) return error;
  return new SpiffeError(
    'connection_lost',
    `the connection ended in the middle of the answer: ${codeOf(error)}`,
    {
      cause: error,
    },
  );
}
