import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, slow } from '../limit.ts';
import { shard, time, whole } from '../schema/field.ts';
import { shardMap } from '../schema/shard-map.ts';

export const recover = route({
  path: '/v1/operator/recover',
  action: '',
  summary: 'Hand out the recovery shares of the root key',
  guard: { kind: 'role', anyOf: ['recover'] },
  need: 'unlocked',
  limits: slow,
  audit: 'operator.recover',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({}),
  response: z.object({ shards: shardMap }),
  error: errorShape({ shards: null }),
});

export const restore = route({
  path: '/v1/operator/restore',
  action: '',
  summary: 'Take one recovery share, until there are enough to make the root key again',
  guard: { kind: 'role', anyOf: ['restore'] },
  need: 'any',
  limits: slow,
  audit: 'operator.restore',
  subject: 'id',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ id: whole.min(1).max(1000), shard }),
  response: z.object({ collected: whole, remaining: whole, restored: z.boolean() }),
  error: errorShape({ collected: 0, remaining: 0, restored: false }),
});

const keeperHealth = z.object({
  id: whole,
  url: z.string(),
  reachable: z.boolean(),
  holdsShare: z.boolean(),
});

const statusResponse = z.object({
  /** Which of its states Nexus is in; `ready` is the one in which it serves secrets. */
  state: z.string(),
  ready: z.boolean(),
  version: z.string().optional(),
  instance: z.string().optional(),
  startedAt: time.optional(),
  store: z.object({ kind: z.string(), schema: whole.optional() }),
  keepers: z.object({ reachable: whole, required: whole, list: z.array(keeperHealth) }),
  identity: z.object({ id: z.string(), expiresAt: time, state: z.string() }).optional(),
  /** What is counted is named by who counts it: policies, audit lines, bytes on disk. */
  sizes: z.record(z.string(), z.number()),
  verify: z.object({ ok: z.boolean(), checked: whole, problems: z.array(z.string()) }).optional(),
  warnings: z.array(z.string()),
});

export const status = route({
  path: '/v1/operator/status',
  action: '',
  summary: 'Say how Nexus is; with `verify`, after opening every record',
  guard: { kind: 'role', anyOf: ['superuser', 'recover', 'restore'] },
  need: 'any',
  limits: { ...slow, deadlineMs: 600_000 },
  audit: 'operator.status',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ verify: z.boolean('has to be true or false').default(false) }),
  response: statusResponse,
  error: errorShape({ state: '', ready: false }),
});
