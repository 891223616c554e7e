import {
  formatJson,
  formatRequest,
  parseJson,
  parseResponse,
  type InputOf,
  type OutputOf,
  type Route,
  type Table,
  type Transport,
} from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readFailure, readHiddenFailure } from './failure.ts';
import { callWithRetry } from './retry.ts';

export interface CallOptions {
  /** For everything, retries included; 10 seconds unless told. */
  readonly deadlineMs?: number;
  /** Its reason is what the call rejects with. */
  readonly signal?: AbortSignal;
}

export interface ClientOptions {
  /** Asks again within the deadline, where that is safe. Off unless told. */
  readonly retry?: boolean;
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
  const body = formatJson(formatRequest(route, input));
  const once = (deadlineMs: number): Promise<OutputOf<Route>> =>
    exchange(transport, route, body, deadlineMs, options.signal);
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  return options.retry === true
    ? callWithRetry(once, { deadlineMs, repeatable: route.repeatable, signal: options.signal })
    : once(deadlineMs);
}

async function exchange(
  transport: Transport,
  route: Route,
  body: Uint8Array,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<OutputOf<Route>> {
  const { status, body: answer } = await transport.send({
    path: route.path,
    action: route.action,
    body,
    repeatable: route.repeatable,
    deadlineMs,
    responseBytes: route.limits.responseBytes,
    ...(signal === undefined ? {} : { signal }),
  });
  if (status !== 200) throw readFailure(route, status, answer);
  const json = parseAnswer(answer);
  const hidden = readHiddenFailure(route, json);
  if (hidden !== undefined) throw hidden;
  return parseResponse(route, json);
}

function parseAnswer(body: Uint8Array): unknown {
  try {
    return parseJson(body);
  } catch (cause) {
    const detail = { sent: true };
    throw new SpikeError('net_peer_connection', 'the answer of the server is not JSON', { cause, detail });
  }
}
