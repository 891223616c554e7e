import { formatRequest, formatResponse, parseRequest, parseResponse } from './codec.ts';
import type { InputOf, OutputOf, Route } from './define.ts';
import { formatJson, parseJson } from './json.ts';

/** `octets`: plain bytes, where a route says how they are to be read. An answer is of the kind of its request; an error is always JSON. */
export type BodyKind = 'json' | 'octets';

export const contentTypes = {
  json: 'application/json',
  octets: 'application/octet-stream',
} as const satisfies Record<BodyKind, string>;

/** As the original chooses: exactly this content type, with no parameters behind it; everything else is JSON (wire.md 1.5). */
export function bodyKindOf(route: Route, contentType: string | undefined): BodyKind {
  return route.octets !== undefined && contentType === contentTypes.octets ? 'octets' : 'json';
}

/** Throws SpikeError `api_bad_request` and `data_invalid_input`, with nothing of the input in its words. */
export function readRequest<R extends Route>(route: R, kind: BodyKind, body: Uint8Array): InputOf<R> {
  return kind === 'octets'
    ? (octetsOf(route).parseRequest(body) as InputOf<R>)
    : parseRequest(route, parseJson(body));
}

/** Throws SpikeError `data_invalid_input`, before anything is sent. */
export function writeRequest<R extends Route>(route: R, kind: BodyKind, input: InputOf<R>): Uint8Array {
  return kind === 'octets'
    ? octetsOf(route).formatRequest(input as never)
    : formatJson(formatRequest(route, input));
}

/** Throws SpikeError `api_internal_error` for an answer that is not of its form. JSON comes as text, which goes out with the head in one piece. */
export function writeResponse<R extends Route>(
  route: R,
  kind: BodyKind,
  output: OutputOf<R>,
): Uint8Array | string {
  return kind === 'octets'
    ? octetsOf(route).formatResponse(output as never)
    : JSON.stringify(formatResponse(route, output));
}

/** Throws SpikeError for an answer that is not one of this route. */
export function readResponse<R extends Route>(route: R, kind: BodyKind, body: Uint8Array): OutputOf<R> {
  return kind === 'octets'
    ? (octetsOf(route).parseResponse(body) as OutputOf<R>)
    : parseResponse(route, parseJson(body));
}

function octetsOf(route: Route): NonNullable<Route['octets']> {
  if (route.octets === undefined) throw new TypeError(`${route.path} speaks JSON alone`);
  return route.octets;
}
