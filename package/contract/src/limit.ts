import type { ErrorShape, Limits } from './define.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** For requests of a few fields. */
export const small: Limits = { requestBytes: 64 * KiB, responseBytes: 64 * KiB, deadlineMs: 10_000 };
/** Largest sum of the names and values of one version of a secret, unless a server is told otherwise. */
export const defaultSecretBytes = MiB;
/** Largest that a server can be told: sealed and padded, it still has to fit into a row of the store. */
export const mostSecretBytes = 3 * MiB;
/** JSON may write one byte as six (`\u0000`). */
const escapeGrowth = 6;
/** A secret of this size with all its values goes in, with room for the other fields and names written twice. */
export function intakeOf(secretBytes: number): Limits {
  const requestBytes = escapeGrowth * secretBytes + 512 * KiB;
  return { requestBytes, responseBytes: 64 * KiB, deadlineMs: 10_000 };
}
/** The largest secret with all its values comes out. */
export const output: Limits = {
  requestBytes: 64 * KiB,
  responseBytes: escapeGrowth * mostSecretBytes + MiB,
  deadlineMs: 10_000,
};
/** What is known about a secret comes out: at most 1,000 versions, and what people wrote. */
export const overview: Limits = { requestBytes: 64 * KiB, responseBytes: MiB, deadlineMs: 10_000 };
/** Everything of a kind comes out. */
export const listing: Limits = { requestBytes: 64 * KiB, responseBytes: 256 * MiB, deadlineMs: 30_000 };
/** A page of the audit comes out; what is looked at for it is bounded, too. */
export const auditPage: Limits = { requestBytes: 64 * KiB, responseBytes: 8 * MiB, deadlineMs: 30_000 };
/** As much as Nexus can be told to encrypt at once, as base64 in JSON or as it is. */
export const cipher = {
  octets: 512 * KiB,
  limits: { requestBytes: MiB, responseBytes: MiB, deadlineMs: 10_000 },
} as const satisfies { octets: number; limits: Limits };
/** A piece of a backup goes in or comes out. */
export const large: Limits = { requestBytes: 7 * MiB, responseBytes: 9 * MiB, deadlineMs: 60_000 };
/** Keepers are asked on the way. */
export const slow: Limits = { requestBytes: 64 * KiB, responseBytes: MiB, deadlineMs: 30_000 };

/** Passwords are hashed on the way, one after the other. */
export const patient: Limits = { requestBytes: 64 * KiB, responseBytes: 64 * KiB, deadlineMs: 60_000 };

export function errorShape(zero: ErrorShape['zero'] = {}): ErrorShape {
  return { zero, field: 'err', always: false };
}
