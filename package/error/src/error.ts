import { codeTable, type CodeRow, type ErrorCode } from './code.ts';

export type ErrorDetail = Readonly<Record<string, string | number | boolean>>;

/**
 * The one error class of SPIKE. `message` says what happened and what to do next, and never holds a secret value;
 * `cause` stays in the process: neither the wire nor the log gets more of it than its code.
 */
export class SpikeError extends Error {
  override readonly name = 'SpikeError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, options: { detail?: ErrorDetail; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail ?? {};
  }

  get row(): CodeRow {
    return codeTable[this.code];
  }
}

/** Whatever was thrown, as a SpikeError: what is not one of ours becomes `api_internal_error` with the original as cause. */
export function toSpikeError(thrown: unknown): SpikeError {
  if (thrown instanceof SpikeError) return thrown;
  return new SpikeError('api_internal_error', 'something failed that should not have', { cause: thrown });
}

/** For `limit_exceeded` where what is in the way lasts: whoever asks again in a second, asks in vain. */
export const untilLater = { detail: { retryAfterMs: 60_000 } } as const;
