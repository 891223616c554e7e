import type { SpiffeId } from '@spike/spiffe';

/** What is at or below these paths is a part of SPIKE itself (`wire.md` 2.2), and only the launcher hands it out. */
const reservedPaths = ['/spike/nexus', '/spike/keeper', '/spike/bootstrap', '/spike/authority'] as const;

export function isPartId(id: SpiffeId): boolean {
  return reservedPaths.some((path) => id.isBelow(path));
}
