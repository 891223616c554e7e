import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, small } from '../limit.ts';
import { shard, text, whole } from '../schema/field.ts';

/** Of which key and split a share is; a Go Bootstrap and a Go Nexus say nothing of it. */
const origin = {
  instance: text(128).optional(),
  generation: whole.min(0).optional(),
  id: whole.min(1).max(1000).optional(),
};

/** How long a note may be that Nexus leaves with a Keeper, in characters. */
export const longestNote = 1024;

export const contributeShare = route({
  path: '/v1/store/contribute',
  action: '',
  summary: 'Give this Keeper a share to hold in memory',
  guard: { kind: 'role', anyOf: ['nexus', 'bootstrap'] },
  need: 'any',
  limits: small,
  audit: 'share.contribute',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({
    shard,
    ...origin,
    slot: z.enum(['active', 'pending']).optional(),
    /** Kept with the active share and given back with it; a Keeper does not look into it, and one in Go ignores it. */
    note: text(longestNote).optional(),
  }),
  response: z.object({}),
  error: errorShape(),
});

/**
 * `pending` is there when both slots are held, and the answer's own share is the active one then. Whoever reads `note`
 * judges it: a Keeper that lies in it would only lose its share's vote otherwise.
 */
export const fetchShare = route({
  path: '/v1/store/shard',
  action: '',
  summary: 'Give Nexus the share that this Keeper holds',
  guard: { kind: 'role', anyOf: ['nexus'] },
  need: 'any',
  limits: small,
  audit: 'share.fetch',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({}),
  response: z.object({
    shard,
    ...origin,
    note: z.unknown().optional(),
    pending: z.object({ shard, ...origin }).optional(),
  }),
  error: { zero: { shard: null }, field: 'Err', always: true },
});

const slot = z.object({ held: z.boolean(), ...origin, digest: text(128).optional() });

export const keeperStatus = route({
  path: '/v1/store/status',
  action: '',
  summary: 'Say what this Keeper holds, and never the share itself',
  guard: { kind: 'role', anyOf: ['nexus'] },
  need: 'any',
  limits: small,
  audit: 'share.status',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({}),
  response: z.object({ active: slot, pending: slot }),
  error: errorShape(),
});
