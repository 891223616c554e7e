import type { Tenant } from '@spike/contract';
import type { Origin } from '../vault/port.ts';

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

/** Permission for what has no path of its own; a tenant_admin's ends at his tenant. */
export interface GrantedSystem extends Granted {
  readonly permission: { readonly tenant: Tenant };
}

/** Permission to list: everything, or what policies give. Only the guard knows a superuser. */
export interface GrantedListing extends Granted {
  readonly permission: { readonly scope: 'all' | 'matching'; readonly tenant: Tenant };
}

/** What comes with a request that changes something. */
export interface Mutation extends Origin {
  /** Ends the wait for others that change the same thing; a commit that has begun is not taken back. */
  readonly signal?: AbortSignal;
}
