import { SpikeError } from '@spike/error';

/** The error of everything that keeps the audit from being written or read; `message` says what to do. */
export function unavailable(message: string, cause?: unknown): SpikeError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  const text = `the audit ${message}${code === undefined ? '' : ` (${code})`}`;
  return new SpikeError('audit_unavailable', text, {
    ...(code === undefined ? {} : { detail: { errno: code } }),
    cause,
  });
}

/** The error of what somebody brought and is no note, checkpoint, proof or export. */
export function malformed(message: string, cause?: unknown): SpikeError {
  return new SpikeError('data_invalid_input', `this ${message}`, { cause });
}
