import type { Route } from '@spike/contract';
import { Authority, type Caller } from '../guard/authorize.ts';
import type { GrantOf } from '../guard/grant.ts';
import { RoleBook } from '../guard/role.ts';
import { noPolicies, type RequestContext } from '../port.ts';

/** What the guard of a route that asks no policy grants this caller, for a handler without its server. Throws as the guard does. */
export function grantTo<R extends Route>(route: R, caller: Caller): GrantOf<R> {
  const authority = new Authority(RoleBook.ofOne(caller.peer.id.trustDomain), noPolicies);
  return authority.authorize(route, caller, {}) as GrantOf<R>;
}

/** What a handler gets beside its grant, of a request that nobody gives up. */
export function createContext(): RequestContext {
  return {
    trail: 't',
    signal: AbortSignal.timeout(20_000),
    remoteAddress: '127.0.0.1',
    check: () => undefined,
    about: () => undefined,
    draftAudit: () => ({ trail: 't', record: '{}' }),
  };
}
