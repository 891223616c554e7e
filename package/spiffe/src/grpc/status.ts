import { SpiffeError, type SpiffeErrorCode } from '../error.ts';

/** The gRPC status codes (grpc.github.io/grpc/core/md_doc_statuscodes.html) that have a meaning here. */
const codeByStatus: ReadonlyMap<number, SpiffeErrorCode> = new Map([
  // A server that goes away reports its open calls as cancelled: an accident, unless it was our own abort, which
  // never comes from the wire.
  [1, 'unavailable'],
  [3, 'invalid_argument'],
  [4, 'deadline_exceeded'],
  [7, 'permission_denied'],
  [8, 'limit_exceeded'],
  [12, 'unimplemented'],
  [13, 'internal'],
  [14, 'unavailable'],
]);

const statusByCode: ReadonlyMap<SpiffeErrorCode, number> = new Map([
  ['aborted', 1],
  ['invalid_argument', 3],
  ['protocol_invalid', 3],
  ['deadline_exceeded', 4],
  ['permission_denied', 7],
  ['limit_exceeded', 8],
  ['unimplemented', 12],
  ['unavailable', 14],
]);

const internalStatus = 13;
const longestMessage = 1024;

/** What a call came to, as the two trailers that say so. */
export interface StatusTrailer {
  readonly 'grpc-status': string;
  readonly 'grpc-message': string;
}

export const okTrailer = { 'grpc-status': '0' };

/** Whether clients are told about this failure; of all others they learn only that there was one. */
export function hasStatus(thrown: unknown): thrown is SpiffeError {
  return thrown instanceof SpiffeError && statusByCode.has(thrown.code);
}

/** A failure as trailers. What is not a SpiffeError, or has a code of no meaning on the wire, is told without its text. */
export function toTrailer(thrown: unknown): StatusTrailer {
  if (!hasStatus(thrown))
    return { 'grpc-status': String(internalStatus), 'grpc-message': 'the server failed' };
  const status = statusByCode.get(thrown.code) ?? internalStatus;
  return { 'grpc-status': String(status), 'grpc-message': encodeStatusMessage(thrown.message) };
}

/** The failure that trailers tell of, or undefined for status 0. */
export function fromTrailer(
  status: string | undefined,
  message: string | undefined,
): SpiffeError | undefined {
  if (status === '0') return undefined;
  if (status === undefined || !/^[0-9]{1,3}$/.test(status)) {
    return new SpiffeError('protocol_invalid', 'gRPC: the call ended without a valid grpc-status');
  }
  const code = codeByStatus.get(Number(status)) ?? 'internal';
  const text = message === undefined ? '' : decodeStatusMessage(message).slice(0, longestMessage);
  return new SpiffeError(
    code,
    `the server answered with gRPC status ${status}${text === '' ? '' : `: ${text}`}`,
  );
}

/** Percent-encoding of grpc-message (PROTOCOL-HTTP2): everything but printable ASCII, and the percent sign. */
export function encodeStatusMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Never throws: the protocol asks to show a message that is encoded wrongly as it is. */
export function decodeStatusMessage(encoded: string): string {
  const decoded = encoded.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
  );
  // It ends up in messages on terminals and in logs, and the other side chose it.
  return decoded.replaceAll(/\p{Cc}/gu, ' ');
}
