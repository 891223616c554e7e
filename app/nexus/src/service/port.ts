import type { AuditDraft } from '../vault/port.ts';

/**
 * What a service needs of the server's proof of permission. The path comes from nowhere else, so that no service
 * can look at another one than was decided about.
 */
export interface Granted {
  readonly peer: { readonly id: { toString(): string } };
  readonly permission: { readonly path: string };
}

/** What comes with a request that changes something. */
export interface Mutation {
  /** Goes to the outbox in the same transaction. */
  readonly record?: AuditDraft;
  /** Ends the wait for others that change the same thing; a commit that has begun is not taken back. */
  readonly signal?: AbortSignal;
}
