import {
  parseJson,
  parseResponse,
  readResponse,
  writeRequest,
  type BodyKind,
  type InputOf,
  type OutputOf,
  type Route,
  type Table,
  type Transport,
} from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readFailure, readHiddenFailure } from './failure.ts';
import { callWithRetry, isToldSoon, mayRetry } from './retry.ts';

export interface CallOptions {
  /** For everything, retries included; 10 seconds unless told. */
  readonly deadlineMs?: number;
  /** Its reason is what the call rejects with. */
  readonly signal?: AbortSignal;
}

export interface ClientOptions {
  /** Of an administrator's session, asked for at each call; undefined for none. Workloads have none. */
  readonly token?: () => string | undefined;
  /**
   * Asks again within the deadline, where that is safe; `when-told` only where the server said to try again soon. Off
   * unless told.
   */
  readonly retry?: boolean | 'when-told';
  readonly deadlineMs?: number;
}

/** One method for each route of a table. */
export type Client<T extends Table> = {
  readonly [Name in keyof T]: (input: InputOf<T[Name]>, options?: CallOptions) => Promise<OutputOf<T[Name]>>;
};

export const defaultDeadlineMs = 10_000;

/**
 * A typed client for a contract table. Its methods throw SpikeError: the server's own codes with `detail.trail`, and
 * `net_peer_connection` and `net_timeout` with `detail.sent` false when the server has surely seen nothing.
 */
export function createClient<T extends Table>(
  transport: Transport,
  table: T,
  options: ClientOptions = {},
): Client<T> {
  const methods = Object.entries(table).map(([name, route]) => [
    name,
    (input: InputOf<Route>, call: CallOptions = {}) => send(transport, route, input, { ...options, ...call }),
  ]);
  // Built from the entries of the table, one to one, which Object.fromEntries forgets.
  return Object.freeze(Object.fromEntries(methods) as Client<T>);
}

async function send(
  transport: Transport,
  route: Route,
  input: InputOf<Route>,
  options: ClientOptions & CallOptions,
): Promise<OutputOf<Route>> {
  options.signal?.throwIfAborted();
  // Where plain bytes will do, base64 in JSON would only make them larger.
  const kind: BodyKind = route.octets === undefined ? 'json' : 'octets';
  const body = writeRequest(route, kind, input);
  const once = (deadlineMs: number): Promise<OutputOf<Route>> =>
    exchange(transport, route, { kind, body, token: options.token?.() }, deadlineMs, options.signal);
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  const { retry = false, signal } = options;
  if (retry === false) return once(deadlineMs);
  const mayAgain = retry === true ? (error: SpikeError) => mayRetry(error, route.repeatable) : isToldSoon;
  return callWithRetry(once, { deadlineMs, mayAgain, signal });
}

async function exchange(
  transport: Transport,
  route: Route,
  request: { readonly kind: BodyKind; readonly body: Uint8Array; readonly token: string | undefined },
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<OutputOf<Route>> {
  const answer = await transport.send({
    path: route.path,
    action: route.action,
    kind: request.kind,
    body: request.body,
    ...(request.token === undefined ? {} : { token: request.token }),
    repeatable: route.repeatable,
    deadlineMs,
    responseBytes: route.limits.responseBytes,
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.status !== 200) throw readFailure(route, answer);
  if (request.kind === 'octets') return readOctets(route, answer.body);
  const json = parseAnswer(answer.body);
  const hidden = readHiddenFailure(route, json);
  if (hidden !== undefined) throw hidden;
  return parseResponse(route, json);
}

function readOctets(route: Route, body: Uint8Array): OutputOf<Route> {
  try {
    return readResponse(route, 'octets', body);
  } catch (cause) {
    const detail = { sent: true };
    throw new SpikeError('net_peer_connection', "the server's answer is not understood", { cause, detail });
  }
}

function parseAnswer(body: Uint8Array): unknown {
  try {
    return parseJson(body);
  } catch (cause) {
    const detail = { sent: true };
    throw new SpikeError('net_peer_connection', 'the answer of the server is not JSON', { cause, detail });
  }
}
