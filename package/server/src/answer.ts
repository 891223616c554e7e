import { formatJson, type ErrorShape } from '@spike/contract';
import { codeTable, type ErrorCode, type SpikeError } from '@spike/error';
import type { Answer } from './exchange.ts';

/** wire.md 1.1: on every JSON answer. */
const jsonHeaders = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store, no-cache, must-revalidate, private',
  Pragma: 'no-cache',
  Expires: '0',
} as const;

/** How a request fails that no route is known for. */
const bareShape: ErrorShape = { zero: {}, field: 'err', always: false };

export function answerOk(value: Readonly<Record<string, unknown>>): Answer {
  return { status: 200, headers: jsonHeaders, body: formatJson(value) };
}

export function answerError(error: SpikeError, trail: string, shape: ErrorShape = bareShape): Answer {
  const code = wireCode(error.code);
  const row = codeTable[code];
  // The same words for everybody who is refused: what lies behind the door must not colour them.
  const message = code === 'access_unauthorized' ? row.says : error.message;
  return {
    status: row.status,
    headers: row.status === 429 ? { ...jsonHeaders, 'Retry-After': '1' } : jsonHeaders,
    body: formatJson({ ...shape.zero, [shape.field]: code, trail, message }),
  };
}

/** What the original calls each refused input (wire.md 1.4). */
export function wireCode(code: ErrorCode): ErrorCode {
  return code === 'data_invalid_input' ? 'api_bad_request' : code;
}
