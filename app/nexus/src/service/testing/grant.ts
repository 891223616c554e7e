import type { Tenant } from '@spike/contract';
import type { GrantedListing, GrantedPath, GrantedSystem } from '../port.ts';

export const operator = 'spiffe://spike.ist/spike/pilot/role/superuser';

export function grantOn(path: string, peer: string = operator): GrantedPath {
  return { peer: { id: peer }, permission: { path: { text: path, segments: path.split('/') } } };
}

export const grantAll: GrantedListing = {
  peer: { id: operator },
  permission: { scope: 'all', tenant: undefined },
};

export function grantSystem(tenant?: Tenant): GrantedSystem {
  return { peer: { id: operator }, permission: { tenant } };
}

export function grantMatching(peer: string): GrantedListing {
  return { peer: { id: peer }, permission: { scope: 'matching', tenant: undefined } };
}

/** A clock that moves on by one each time it is read. */
export function createClock(start = 1_000): () => number {
  let now = start;
  return () => (now += 1);
}
