import type { AuditDraft } from '../vault/port.ts';

/** Who was granted something. */
export interface Granted {
  readonly peer: { readonly id: { toString(): string } };
}

/**
 * What a service needs of the server's proof of permission. The path comes from nowhere else, so that no service
 * can look at another one than was decided about.
 */
export interface GrantedPath extends Granted {
  readonly permission: {
    readonly path: { readonly text: string; readonly segments: readonly string[] };
  };
}

/** Permission to list: everything, or what policies give. Only the guard knows a superuser. */
export interface GrantedListing extends Granted {
  readonly permission: { readonly scope: 'all' | 'matching' };
}

/** What comes with a request that changes something. */
export interface Mutation {
  /** Goes to the outbox in the same transaction. */
  readonly record?: AuditDraft;
  /** Ends the wait for others that change the same thing; a commit that has begun is not taken back. */
  readonly signal?: AbortSignal;
}
