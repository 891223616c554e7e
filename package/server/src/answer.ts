import { contentTypes, type BodyKind, type ErrorShape } from '@spike/contract';
import { codeTable, type ErrorCode, type SpikeError } from '@spike/error';
import type { Answer } from './exchange.ts';

/** wire.md 1.1: on every JSON answer; what is decrypted is no more for a cache than what is read. */
const jsonHeaders = {
  'Content-Type': contentTypes.json,
  'Cache-Control': 'no-store, no-cache, must-revalidate, private',
  Pragma: 'no-cache',
  Expires: '0',
} as const;

const octetHeaders = {
  ...jsonHeaders,
  'Content-Type': contentTypes.octets,
  // Whoever chose the bytes must not choose what a browser makes of them.
  'X-Content-Type-Options': 'nosniff',
} as const;

/** How a request fails that no route is known for. */
const bareShape: ErrorShape = { zero: {}, field: 'err', always: false };

export function answerOk(kind: BodyKind, body: Answer['body']): Answer {
  return { status: 200, headers: kind === 'octets' ? octetHeaders : jsonHeaders, body };
}

export function answerError(error: SpikeError, trail: string, shape: ErrorShape = bareShape): Answer {
  const code = toldCode(error.code);
  const row = codeTable[code];
  // The same words for everybody who is refused: what lies behind the door must not colour them.
  const message = code === 'access_unauthorized' ? row.says : error.message;
  return {
    status: row.status,
    headers: row.status === 429 ? { ...jsonHeaders, 'Retry-After': secondsOf(error) } : jsonHeaders,
    body: JSON.stringify({ ...shape.zero, [shape.field]: code, trail, message }),
  };
}

/** Whoever is denied is told what everybody is told who is refused, and not why. */
function toldCode(code: ErrorCode): ErrorCode {
  return code === 'identity_denied' ? 'access_unauthorized' : wireCode(code);
}

/** How long whoever was too much should wait; a second where nothing else is known (RFC 9110 10.2.3). */
function secondsOf({ detail }: SpikeError): string {
  const ms = detail['retryAfterMs'];
  return typeof ms === 'number' ? String(Math.max(1, Math.ceil(ms / 1_000))) : '1';
}

/** What the original calls each refused input (wire.md 1.4). */
export function wireCode(code: ErrorCode): ErrorCode {
  return code === 'data_invalid_input' ? 'api_bad_request' : code;
}
