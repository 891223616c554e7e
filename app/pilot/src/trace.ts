import { parseJson, type Transport, type TransportRequest, type TransportResponse } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import { toPrintableLine } from './output/text.ts';

/** Fields of requests that say what was asked, and never what was given: no value, no share, no plaintext. */
const shownFields: readonly string[] = [
  'path',
  'prefix',
  'name',
  'id',
  'version',
  'versions',
  'all',
  'cas',
  'maxVersions',
  'recursive',
  'limit',
  'spiffeidPattern',
  'pathPattern',
  'permissions',
  'verify',
];
const longest = 500;

export interface Tracer {
  readonly wrap: (transport: Transport) => Transport;
  /** The server that a new connection was made to. */
  met(id: string): void;
  note(text: string): void;
}

/** Writes one line for each request: what was asked of whom, and how it ended. */
export function openTracer(stream: NodeJS.WritableStream): Tracer {
  let peer = 'nobody';
  const note = (text: string): void => void stream.write(`trace: ${toPrintableLine(text)}\n`);
  const send = async (transport: Transport, request: TransportRequest): Promise<TransportResponse> => {
    const started = performance.now();
    const tell = (end: string): void =>
      note(`${describeRequest(request)} of ${peer}: ${end}, ${(performance.now() - started).toFixed(1)} ms`);
    try {
      const response = await transport.send(request);
      tell(describeResponse(response));
      return response;
    } catch (error) {
      const { code, message } = toSpikeError(error);
      tell(`${code} (${message})`);
      throw error;
    }
  };
  return {
    wrap: (transport) => ({ send: (request) => send(transport, request) }),
    met: (id) => {
      peer = id;
    },
    note,
  };
}

function describeRequest({ path, action, body, kind }: TransportRequest): string {
  const route = `POST ${path}${action === '' ? '' : `?action=${action}`}`;
  const json = (kind ?? 'json') === 'json' ? readFields(body) : {};
  const shown = shownFields.filter((name) => Object.hasOwn(json, name));
  const fields = shown.map((name) => `${name}=${shorten(JSON.stringify(json[name]))}`);
  return [route, ...fields].join(' ');
}

function describeResponse({ status, body }: TransportResponse): string {
  if (status === 200) return `200, ${body.length} bytes`;
  const { err, Err, trail } = readFields(body);
  const code = err ?? Err;
  return [
    String(status),
    ...(typeof code === 'string' ? [code] : []),
    ...(typeof trail === 'string' ? [`trail ${trail}`] : []),
  ].join(', ');
}

function readFields(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const json = parseJson(body);
    return typeof json === 'object' && json !== null ? Object.fromEntries(Object.entries(json)) : {};
  } catch {
    return {};
  }
}

function shorten(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}
