import type { ErrorShape, Limits } from './define.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** For requests of a few fields. */
export const small: Limits = { requestBytes: 64 * KiB, responseBytes: 64 * KiB, deadlineMs: 10_000 };
/** A secret with all its values goes in. */
export const intake: Limits = { requestBytes: MiB, responseBytes: 64 * KiB, deadlineMs: 10_000 };
/** A secret with all its values comes out; JSON may write one byte as six. */
export const output: Limits = { requestBytes: 64 * KiB, responseBytes: 8 * MiB, deadlineMs: 10_000 };
/** Everything of a kind comes out. */
export const listing: Limits = { requestBytes: 64 * KiB, responseBytes: 256 * MiB, deadlineMs: 30_000 };
/** Keepers are asked on the way. */
export const slow: Limits = { requestBytes: 64 * KiB, responseBytes: MiB, deadlineMs: 30_000 };

export function errorShape(zero: ErrorShape['zero'] = {}): ErrorShape {
  return { zero, field: 'err', always: false };
}
