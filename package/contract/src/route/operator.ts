import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, patient, slow } from '../limit.ts';
import { administratorName } from '../schema/administrator.ts';
import { shard, time, whole, wholeBetween } from '../schema/field.ts';
import { shardMap } from '../schema/shard-map.ts';

export const recover = route({
  path: '/v1/operator/recover',
  action: '',
  summary: 'Hand out the recovery shares of the root key',
  guard: { kind: 'role', anyOf: ['recover'] },
  need: 'unlocked',
  limits: slow,
  audit: 'operator.recover',
  /** Where an administrator opened it, once is all. */
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({}),
  /** Any `threshold` of the shares make the root key of `instance` again. */
  response: z.object({
    shards: shardMap,
    instance: z.string().optional(),
    threshold: whole.optional(),
  }),
  error: errorShape({ shards: null }),
  fails: ['approval_required'],
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
  request: z.object({ id: wholeBetween(1, 1000), shard }),
  /** `repeated`: this share was here already, so the numbers are what they were. */
  response: z.object({
    collected: whole,
    remaining: whole,
    restored: z.boolean(),
    repeated: z.boolean().optional(),
  }),
  error: errorShape({ collected: 0, remaining: 0, restored: false }),
  fails: ['shamir_reconstruction_failed'],
});

/** For a password that is lost. The holders of enough recovery shares approve it first. */
export const recoverPassword = route({
  path: '/v1/operator/password',
  action: '',
  summary: 'Give an administrator a one-time password, when the holders of recovery shares have approved it',
  guard: { kind: 'role', anyOf: ['recover'] },
  need: 'unlocked',
  limits: patient,
  audit: 'operator.password',
  subject: 'user',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ user: administratorName }),
  response: z.object({ user: z.string(), oneTimePassword: z.string(), oneTimeUntil: time }),
  error: errorShape(),
  fails: ['api_not_found', 'approval_required', 'state_not_initialized'],
});

const keeperHealth = z.object({
  id: whole,
  url: z.string(),
  reachable: z.boolean(),
  holdsShare: z.boolean(),
});

const keeperReport = z.object({
  reachable: whole,
  /** Known while Nexus has its key. */
  holding: whole,
  required: whole,
  /** As many hold their share as a restart of Nexus needs. */
  enough: z.boolean(),
  /** Empty without a session. */
  list: z.array(keeperHealth),
});

const administrationReport = z.object({
  /** `svid`: a superuser's SVID is enough, as in the Go original. */
  mode: z.enum(['password', 'svid']),
  /** Undefined while the key is not here. */
  initialized: z.boolean().optional(),
  initializedAt: time.optional(),
  initializedBy: z.string().optional(),
  sessions: whole.optional(),
  /** When the first of the sessions ends. */
  nextExpiry: time.optional(),
  /** Administrators who are bound to an ID that others share. */
  weaklyBound: z.array(z.string()).optional(),
});

const statusResponse = z.object({
  /** Which of its states Nexus is in; `ready` is the one in which it serves secrets. */
  state: z.string(),
  ready: z.boolean(),
  /** Nothing of `problems` is there. */
  well: z.boolean(),
  /** Whether the details are here, which need a session. */
  detailed: z.boolean(),
  /** By the clock of Nexus. */
  time,
  version: z.string().optional(),
  rootKey: z.boolean(),
  instance: z.string().optional(),
  startedAt: time.optional(),
  store: z.object({ kind: z.string(), schema: whole.optional() }),
  keepers: keeperReport,
  identity: z.object({ id: z.string(), expiresAt: time, state: z.string() }).optional(),
  administration: administrationReport,
  /** When each was done last; undefined for never. */
  done: z
    .object({
      backupVerifiedAt: time.optional(),
      resetTestedAt: time.optional(),
      accessReviewedAt: time.optional(),
    })
    .optional(),
  /** Numbers of open alerts by severity. */
  alerts: z.record(z.string(), whole).optional(),
  /** What is counted is named by who counts it: policies, audit lines, bytes on disk. */
  sizes: z.record(z.string(), z.number()),
  verify: z.object({ ok: z.boolean(), checked: whole, problems: z.array(z.string()) }).optional(),
  /** What is wrong now. */
  problems: z.array(z.string()),
  /** What is to be known, or done some day. */
  warnings: z.array(z.string()),
});

export const status = route({
  path: '/v1/operator/status',
  action: '',
  summary:
    'Say how Nexus is: without a session no more than whether it is well; with `verify`, after opening every record',
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
