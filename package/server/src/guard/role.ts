import { rolePaths, type Role } from '@spike/contract';
import type { SpiffeId, TrustDomain } from '@spike/spiffe';

/** The trust domains in which an identity's path makes it what it says (wire.md 2.2). */
export interface TrustRoots {
  readonly nexus: readonly TrustDomain[];
  readonly keeper: readonly TrustDomain[];
  readonly bootstrap: readonly TrustDomain[];
  /** For superuser, recover and restore. */
  readonly pilot: readonly TrustDomain[];
  readonly lite: readonly TrustDomain[];
}

const ownPath = '/spike';

/** Says which roles an identity has. */
export class RoleBook {
  readonly #roots: Readonly<Record<Role, readonly TrustDomain[]>>;

  constructor(roots: TrustRoots) {
    const { nexus, keeper, bootstrap, pilot, lite } = roots;
    this.#roots = { nexus, keeper, bootstrap, lite, superuser: pilot, recover: pilot, restore: pilot };
  }

  /** One trust domain for everything. */
  static ofOne(trustDomain: TrustDomain): RoleBook {
    const one = [trustDomain];
    return new RoleBook({ nexus: one, keeper: one, bootstrap: one, pilot: one, lite: one });
  }

  /** Whether an ID is SPIKE's own, of a role that there is or may come to be: at or below `/spike` where roles are. */
  isOwn(id: SpiffeId): boolean {
    return (
      id.isBelow(ownPath) &&
      Object.values(this.#roots).some((roots) => roots.some((root) => id.memberOf(root)))
    );
  }

  has(peer: SpiffeId, role: Role): boolean {
    return peer.isBelow(rolePaths[role]) && this.#roots[role].some((root) => peer.memberOf(root));
  }
}
