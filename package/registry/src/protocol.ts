import { SpikeError } from '@spike/error';
import { z } from 'zod';
import {
  entryIdSchema,
  entrySchema,
  federatesWithSchema,
  maxSelectors,
  partNameSchema,
  selectorSchema,
  spiffeIdSchema,
  trustDomainSchema,
} from './entry.ts';
import { relationshipDraftSchema, relationshipSchema } from './relationship.ts';

const pidSchema = z.int().min(1).max(0x40_0000);
const nothing = z.strictObject({});

export const statusSchema = z
  .strictObject({
    pid: z.int(),
    uid: z.int(),
    trustDomain: z.string(),
    socketPath: z.string(),
    startedAt: z.iso.datetime(),
    authorityNotAfter: z.iso.datetime(),
    svidLifetimeMs: z.int(),
    rotateEveryMs: z.int(),
    entries: z.int(),
    streams: z.int(),
    /** Where others get the bundle of this trust domain; absent while it is not served. */
    bundleUrl: z.string().optional(),
    parts: z.array(z.strictObject({ pid: z.int(), part: z.string() }).readonly()).readonly(),
    /** What this authority does not protect from, in a sentence for people. */
    caution: z.string(),
  })
  .readonly();

export type AuthorityStatus = z.output<typeof statusSchema>;

/**
 * The admin socket of the authority: HTTP/1.1 over a Unix socket, POST with a JSON body, the peer's uid as the only
 * credential. One table from which server and client derive.
 */
export const adminRoutes = {
  'entry/list': { request: nothing, response: z.strictObject({ entries: z.array(entrySchema).readonly() }) },
  'entry/show': {
    request: z.strictObject({ id: entryIdSchema }),
    response: z.strictObject({ entry: entrySchema }),
  },
  /** Without selectors the entry binds to the caller's uid. The same ID with the same selectors is the same entry. */
  'entry/create': {
    request: z.strictObject({
      spiffeId: spiffeIdSchema,
      selectors: z.array(selectorSchema).max(maxSelectors).readonly().default([]),
      federatesWith: federatesWithSchema.default([]),
    }),
    response: z.strictObject({ entry: entrySchema, created: z.boolean() }),
  },
  /** Whose bundles the holders of this entry get, from now on. */
  'entry/federate': {
    request: z.strictObject({ id: entryIdSchema, federatesWith: federatesWithSchema }),
    response: z.strictObject({ entry: entrySchema }),
  },
  /** What another trust domain needs in order to believe this one: the SPIFFE bundle, as JSON. */
  'bundle/show': {
    request: nothing,
    response: z.strictObject({ trustDomain: trustDomainSchema, bundle: z.string() }),
  },
  'federation/list': {
    request: nothing,
    response: z.strictObject({ relationships: z.array(relationshipSchema).readonly() }),
  },
  /** The bundle, where it is to be had, or both; in the place of what was said of that trust domain before. */
  'federation/set': {
    request: relationshipDraftSchema,
    response: z.strictObject({ relationship: relationshipSchema }),
  },
  /** From now on nobody of that trust domain is believed. */
  'federation/delete': { request: z.strictObject({ trustDomain: trustDomainSchema }), response: nothing },
  'entry/delete': { request: z.strictObject({ id: entryIdSchema }), response: nothing },
  /** From the launcher alone, for a child of its own. Lasts as long as that process or this authority. */
  'part/register': { request: z.strictObject({ pid: pidSchema, part: partNameSchema }), response: nothing },
  /** From the launcher alone: its parts are registered, so that the Workload API can answer. */
  'launcher/ready': { request: nothing, response: nothing },
  /** Binds the caller's own pid to one ID for as long as it lives, also through execve. */
  run: {
    request: z.strictObject({ spiffeId: spiffeIdSchema }),
    response: z.strictObject({ entry: entrySchema }),
  },
  status: { request: nothing, response: statusSchema },
} as const satisfies Record<string, { request: z.ZodType; response: z.ZodType }>;

export type AdminRoute = keyof typeof adminRoutes;
export type AdminInput<R extends AdminRoute> = z.input<(typeof adminRoutes)[R]['request']>;
export type AdminRequest<R extends AdminRoute> = z.output<(typeof adminRoutes)[R]['request']>;
export type AdminResponse<R extends AdminRoute> = z.output<(typeof adminRoutes)[R]['response']>;

export const adminErrorSchema = z.object({ code: z.string(), message: z.string() });

export const adminPathPrefix = '/v1/';
/** Of a request's body: an ID and the most and longest selectors stay below. */
export const maxRequestBytes = 131_072;

/** Throws `data_invalid_input` with the first thing that is wrong. */
export function parseAdminRequest<R extends AdminRoute>(route: R, input: unknown): AdminRequest<R> {
  const schema: z.ZodType = adminRoutes[route].request;
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data as AdminRequest<R>;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new SpikeError('data_invalid_input', where + (issue?.message ?? 'the request is not understood'));
}

/** The form of the wire. */
export function encodeAdminResponse<R extends AdminRoute>(route: R, response: AdminResponse<R>): unknown {
  const schema: z.ZodType = adminRoutes[route].response;
  return schema.encode(response);
}

export function isAdminRoute(name: string): name is AdminRoute {
  return Object.hasOwn(adminRoutes, name);
}
