import type { Granted } from '../port.ts';

export const operator = 'spiffe://spike.ist/spike/pilot/role/superuser';

export function grantOn(path: string, peer: string = operator): Granted {
  return { peer: { id: peer }, permission: { path } };
}

/** A clock that moves on by one each time it is read. */
export function createClock(start = 1_000): () => number {
  let now = start;
  return () => (now += 1);
}
