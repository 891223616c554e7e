import type { Permission, PermissionOf, Route } from '@spike/contract';
import type { VerifiedPeer } from '@spike/spiffe';

let make: <P extends Permission>(peer: VerifiedPeer, permission: P, policy: string | undefined) => Grant<P>;

/**
 * The proof that this peer may do this on that path. Only `authorize.ts` makes one, so a service that takes a grant
 * cannot be reached without the guard; what it acts on is read from `permission`, never from the request.
 */
export class Grant<P extends Permission = Permission> {
  readonly peer: VerifiedPeer;
  readonly permission: P;
  /** Name of the policy that decided; undefined when a role did. */
  readonly policy: string | undefined;
  readonly #minted = true;

  private constructor(peer: VerifiedPeer, permission: P, policy: string | undefined) {
    this.peer = peer;
    this.permission = permission;
    this.policy = policy;
  }

  static {
    make = (peer, permission, policy) => new Grant(peer, permission, policy);
  }

  /** For services at the border of untyped code: whether something came from the guard. */
  static is(this: void, value: unknown): value is Grant {
    return typeof value === 'object' && value !== null && #minted in value && value.#minted;
  }
}

/** What the guard of this route grants. */
export type GrantOf<R> = R extends Route ? Grant<PermissionOf<R['guard']> & Permission> : never;

/** For `authorize.ts` alone; not exported from the package. */
export function mint<P extends Permission>(
  peer: VerifiedPeer,
  permission: P,
  policy: string | undefined,
): Grant<P> {
  return make(peer, permission, policy);
}
