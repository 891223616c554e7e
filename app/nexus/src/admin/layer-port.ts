import { SpikeError } from '@spike/error';
import type { SessionPort } from '@spike/server';
import type { AccessLayer } from './layer.ts';
import { accessorOf } from './token-text.ts';

/** The sessions of a layer that comes and goes with the root key. Without it nobody has one. */
export function sessionsOf(layer: () => AccessLayer | undefined): SessionPort {
  const current = (): SessionPort => {
    const found = layer();
    if (found !== undefined) return found.port;
    throw new SpikeError('session_required', 'Nexus has no root key at the moment, so there are no sessions');
  };
  return {
    authenticate: (use) => current().authenticate(use),
    accessorOf: (token) => accessorOf(token),
    assertStill: (administration) => current().assertStill(administration),
  };
}
