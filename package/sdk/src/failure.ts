import { parseJson, type Route, type TransportResponse } from '@spike/contract';
import { codeTable, isErrorCode, SpikeError, type ErrorCode } from '@spike/error';

/** What a client makes of a status whose body does not tell more (wire.md 1.7). */
const codeOfStatus: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'api_bad_request'],
  [401, 'access_unauthorized'],
  [404, 'api_not_found'],
  [413, 'api_payload_too_large'],
  [429, 'limit_exceeded'],
  [500, 'api_internal_error'],
  [503, 'state_not_ready'],
]);

/** The error that an answer other than 200 stands for. Also of servers that are not ours, and of what is no JSON. */
export function readFailure(route: Route, { status, body, retryAfterMs }: TransportResponse): SpikeError {
  const json = parseLeniently(body);
  const told = json[route.error.field] ?? json['err'];
  const code = isErrorCode(told) ? told : (codeOfStatus.get(status) ?? 'net_peer_connection');
  const message = json['message'];
  const trail = json['trail'];
  return new SpikeError(code, typeof message === 'string' ? message : codeTable[code].says, {
    detail: {
      sent: true,
      status,
      ...(typeof trail === 'string' ? { trail } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}

/** The error in an answer whose status says success, as the original's clients look for it. */
export function readHiddenFailure(route: Route, json: unknown): SpikeError | undefined {
  const told: unknown =
    typeof json === 'object' && json !== null ? Reflect.get(json, route.error.field) : undefined;
  if (typeof told !== 'string' || told === '') return undefined;
  const code = isErrorCode(told) ? told : 'api_internal_error';
  return new SpikeError(code, codeTable[code].says, { detail: { sent: true, status: 200 } });
}

function parseLeniently(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const json = parseJson(body);
    return typeof json === 'object' && json !== null ? Object.fromEntries(Object.entries(json)) : {};
  } catch {
    return {};
  }
}
