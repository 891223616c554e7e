import {
  isBreakglass,
  isReading,
  reachOf,
  SecretPath,
  type Action,
  type Permission,
  type Privilege,
  type Route,
  type SystemPath,
  type Tenant,
} from '@spike/contract';
import { codeTable, SpikeError } from '@spike/error';
import type { VerifiedPeer } from '@spike/spiffe';
import type { Administration, PolicyDecider } from '../port.ts';
import { mint, type Grant } from './grant.ts';
import type { RoleBook } from './role.ts';

/** Who asks: the verified peer, and the administrator under whose session a superuser comes. */
export interface Caller {
  readonly peer: VerifiedPeer;
  readonly administrator: Administration | undefined;
}

/**
 * Answers what the guard of a route says to one caller. All methods throw SpikeError `access_unauthorized` to refuse. A
 * superuser is judged by the privileges of the administrator and by no policy, everybody else by policies.
 */
export class Authority {
  readonly #roles: RoleBook;
  readonly #policies: PolicyDecider;

  constructor(roles: RoleBook, policies: PolicyDecider) {
    this.#roles = roles;
    this.#policies = policies;
  }

  /** Whether this caller can be let in with a session and in no other way. */
  wantsSession({ guard }: Route, peer: VerifiedPeer): boolean {
    if (guard.kind === 'role' || guard.kind === 'anyPeer') return false;
    if ('roles' in guard && guard.roles?.some((role) => this.#roles.has(peer.id, role)) === true)
      return false;
    return this.#roles.has(peer.id, 'superuser');
  }

  /** The grant of a guard that looks at the caller alone; undefined when the request decides, too. */
  authorizeEarly(route: Route, caller: Caller): Grant | undefined {
    const { guard } = route;
    const { peer, administrator } = caller;
    switch (guard.kind) {
      case 'role': {
        const role = guard.anyOf.find((one) => this.#roles.has(peer.id, one));
        return role === undefined ? refuse() : mint(peer, { kind: 'role', role }, { administrator });
      }
      case 'anyPeer':
        return mint(peer, { kind: 'anyPeer' });
      case 'session':
        if (administrator === undefined || !this.#roles.has(peer.id, 'superuser')) return refuse();
        return mint(peer, { kind: 'session' }, { administrator });
      case 'administrator': {
        const { privilege, roles = [] } = guard;
        if (roles.some((role) => this.#roles.has(peer.id, role)))
          return mint(peer, { kind: 'administrator', privilege, tenant: undefined });
        const tenant = this.#tenantOf(caller, privilege);
        return mint(peer, { kind: 'administrator', privilege, tenant }, { administrator });
      }
      case 'listing':
        return this.#authorizeListing(caller, guard.action, guard.at, guard.privilege);
      case 'policy':
        return 'on' in guard ? undefined : this.#authorizeSystem(caller, guard);
    }
  }

  /** Whether no request of this caller could be granted, whatever path it names. */
  isHopeless(route: Route, { peer, administrator }: Caller): boolean {
    const { guard } = route;
    if (guard.kind !== 'policy' || 'at' in guard) return false;
    if (this.#roles.has(peer.id, 'superuser')) return !holdsPrivilege(administrator, guard.privilege);
    return this.#roles.has(peer.id, 'lite') || !this.#policies.allowsAnywhere(peer.id, guard.action).allowed;
  }

  /** The grant of any guard, for a request that was parsed. */
  authorize(route: Route, caller: Caller, input: Readonly<Record<string, unknown>>): Grant {
    const early = this.authorizeEarly(route, caller);
    if (early !== undefined) return early;
    const { guard } = route;
    // The contract's types let `on` name nothing but a path; a table made by other means must not get past this.
    const path = guard.kind === 'policy' && 'on' in guard ? input[guard.on] : undefined;
    if (guard.kind !== 'policy' || !SecretPath.is(path)) return refuse();
    const { peer, administrator } = caller;
    const permission: Permission = { kind: 'policy', action: guard.action, path };
    if (!this.#roles.has(peer.id, 'superuser'))
      return this.#decide(peer, guard.action, path.text, permission);
    if (!isWithin(path.segments, this.#tenantOf(caller, guard.privilege))) return refuse();
    return mint(peer, permission, { administrator });
  }

  #authorizeSystem(
    caller: Caller,
    guard: Extract<Route['guard'], { readonly kind: 'policy'; readonly at: SystemPath }>,
  ): Grant {
    const { action, at, privilege, roles = [] } = guard;
    const { peer, administrator } = caller;
    const permission = { kind: 'system', action, at, tenant: undefined } as const;
    if (roles.some((role) => this.#roles.has(peer.id, role))) return mint(peer, permission);
    if (!this.#roles.has(peer.id, 'superuser')) return this.#decide(peer, action, at, permission);
    return mint(peer, { ...permission, tenant: this.#tenantOf(caller, privilege) }, { administrator });
  }

  #authorizeListing(caller: Caller, action: Action, at: SystemPath, privilege: Privilege): Grant {
    const { peer, administrator } = caller;
    const permission = { kind: 'listing', action, scope: 'all', tenant: undefined } as const;
    if (this.#roles.has(peer.id, 'superuser'))
      return mint(peer, { ...permission, tenant: this.#tenantOf(caller, privilege) }, { administrator });
    if (this.#roles.has(peer.id, 'lite')) return refuse();
    const all = this.#policies.allows(peer.id, action, at);
    if (all.allowed) return mint(peer, permission, { policy: all.policy });
    const some = this.#policies.allowsAnywhere(peer.id, action);
    if (!some.allowed) return refuse();
    return mint(peer, { ...permission, scope: 'matching' }, { policy: some.policy });
  }

  #decide(peer: VerifiedPeer, action: Action, path: string, permission: Permission): Grant {
    if (this.#roles.has(peer.id, 'lite')) return refuse();
    const decision = this.#policies.allows(peer.id, action, path);
    return decision.allowed ? mint(peer, permission, { policy: decision.policy }) : refuse();
  }

  /** Where this administrator has the privilege; throws where he has it nowhere. */
  #tenantOf({ peer, administrator }: Caller, privilege: Privilege): Tenant {
    if (administrator === undefined || !this.#roles.has(peer.id, 'superuser')) return refuse();
    if (!holdsPrivilege(administrator, privilege)) return refuse();
    return reachOf(administrator.role, privilege) === 'tenant'
      ? (administrator.tenant ?? refuse())
      : undefined;
  }
}

/** Whether an administrator has the privilege somewhere: by his role, or by an open break-glass. */
export function holdsPrivilege(administrator: Administration | undefined, privilege: Privilege): boolean {
  if (administrator === undefined || (administrator.readOnly && !isReading(privilege))) return false;
  if (reachOf(administrator.role, privilege) !== undefined) return true;
  return administrator.role === 'emergency_admin' && administrator.emergency && isBreakglass(privilege);
}

/** Segment by segment: `tenants/acme` is not within `tenants/ac`. */
function isWithin(segments: readonly string[], tenant: Tenant): boolean {
  return tenant === undefined || tenant.every((segment, index) => segments[index] === segment);
}

function refuse(): never {
  throw new SpikeError('access_unauthorized', codeTable.access_unauthorized.says);
}
