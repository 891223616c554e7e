import { SecretPath, type Action, type Permission, type Route, type SystemPath } from '@spike/contract';
import { codeTable, SpikeError } from '@spike/error';
import type { VerifiedPeer } from '@spike/spiffe';
import type { PolicyDecider } from '../port.ts';
import { mint, type Grant } from './grant.ts';
import type { RoleBook } from './role.ts';

/** Answers what the guard of a route says to one peer. All methods throw SpikeError `access_unauthorized` to refuse. */
export class Authority {
  readonly #roles: RoleBook;
  readonly #policies: PolicyDecider;

  constructor(roles: RoleBook, policies: PolicyDecider) {
    this.#roles = roles;
    this.#policies = policies;
  }

  /** The grant of a guard that looks at the peer alone; undefined when the request decides, too. */
  authorizeEarly(route: Route, peer: VerifiedPeer): Grant | undefined {
    const { guard } = route;
    switch (guard.kind) {
      case 'role': {
        const role = guard.anyOf.find((one) => this.#roles.has(peer.id, one));
        return role === undefined ? refuse() : mint(peer, { kind: 'role', role }, undefined);
      }
      case 'anyPeer':
        return mint(peer, { kind: 'anyPeer' }, undefined);
      case 'listing':
        return this.#authorizeListing(peer, guard.action, guard.at);
      case 'policy':
        if ('on' in guard) return undefined;
        return this.#authorizePath(peer, guard.action, guard.at, {
          kind: 'system',
          action: guard.action,
          at: guard.at,
        });
    }
  }

  /** Whether no request of this peer could be granted, whatever path it names. */
  isHopeless(route: Route, peer: VerifiedPeer): boolean {
    const { guard } = route;
    if (guard.kind !== 'policy' || this.#roles.has(peer.id, 'superuser')) return false;
    return this.#roles.has(peer.id, 'lite') || !this.#policies.allowsAnywhere(peer.id, guard.action).allowed;
  }

  /** The grant of any guard, for a request that was parsed. */
  authorize(route: Route, peer: VerifiedPeer, input: Readonly<Record<string, unknown>>): Grant {
    const early = this.authorizeEarly(route, peer);
    if (early !== undefined) return early;
    const { guard } = route;
    // The contract's types let `on` name nothing but a path; a table made by other means must not get past this.
    const path = guard.kind === 'policy' && 'on' in guard ? input[guard.on] : undefined;
    if (guard.kind !== 'policy' || !SecretPath.is(path)) return refuse();
    return this.#authorizePath(peer, guard.action, path.text, { kind: 'policy', action: guard.action, path });
  }

  #authorizePath(peer: VerifiedPeer, action: Action, path: string, permission: Permission): Grant {
    if (this.#roles.has(peer.id, 'superuser')) return mint(peer, permission, undefined);
    if (this.#roles.has(peer.id, 'lite')) return refuse();
    const decision = this.#policies.allows(peer.id, action, path);
    return decision.allowed ? mint(peer, permission, decision.policy) : refuse();
  }

  #authorizeListing(peer: VerifiedPeer, action: Action, at: SystemPath): Grant {
    if (this.#roles.has(peer.id, 'superuser'))
      return mint(peer, { kind: 'listing', action, scope: 'all' }, undefined);
    if (this.#roles.has(peer.id, 'lite')) return refuse();
    const all = this.#policies.allows(peer.id, action, at);
    if (all.allowed) return mint(peer, { kind: 'listing', action, scope: 'all' }, all.policy);
    const some = this.#policies.allowsAnywhere(peer.id, action);
    return some.allowed ? mint(peer, { kind: 'listing', action, scope: 'matching' }, some.policy) : refuse();
  }
}

function refuse(): never {
  throw new SpikeError('access_unauthorized', codeTable.access_unauthorized.says);
}
