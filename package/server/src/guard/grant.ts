import type { Permission, PermissionOf, Route } from '@spike/contract';
import type { VerifiedPeer } from '@spike/spiffe';
import type { Administration } from '../port.ts';

/** What decided besides the permission itself. */
export interface GrantFacts {
  /** Name of the policy that decided; undefined when a role did. */
  readonly policy?: string | undefined;
  /** Under whose session; undefined for everybody who is no administrator. */
  readonly administrator?: Administration | undefined;
}

let make: <P extends Permission>(peer: VerifiedPeer, permission: P, facts: GrantFacts) => Grant<P>;

/**
 * The proof that this peer may do this on that path. Only `authorize.ts` makes one, so a service that takes a grant
 * cannot be reached without the guard; what it acts on is read from `permission`, never from the request.
 */
export class Grant<P extends Permission = Permission> {
  readonly peer: VerifiedPeer;
  readonly permission: P;
  readonly policy: string | undefined;
  readonly administrator: Administration | undefined;
  readonly #minted = true;

  private constructor(peer: VerifiedPeer, permission: P, { policy, administrator }: GrantFacts) {
    this.peer = peer;
    this.permission = permission;
    this.policy = policy;
    this.administrator = administrator;
  }

  static {
    make = (peer, permission, facts) => new Grant(peer, permission, facts);
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
  facts: GrantFacts = {},
): Grant<P> {
  return make(peer, permission, facts);
}
