import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, listing, small } from '../limit.ts';
import { text, time, unicodeText, whole } from '../schema/field.ts';

/* SPIFFE IDs that are refused whatever policies say: one ID exactly, or all below a path. No way to stop everybody. */

const path = '/v1/deny';
const longestReason = 500;
/** The longest SPIFFE ID, and a star below it. */
const longestSubject = 2_050;
const mostSeconds = 366 * 24 * 3_600;

const common = { path, need: 'unlocked', unknownFields: 'refuse' } as const;
const write = { kind: 'administrator', privilege: 'deny.write' } as const;

const spiffeId = text(longestSubject);

const denial = z.object({
  /** One ID, or a path below which all are denied, with a star behind it. */
  spiffeId: z.string(),
  reason: z.string(),
  by: z.string(),
  since: time,
  /** When it ends by itself; left out for one that somebody has to lift. */
  until: time.optional(),
});

export const denyIdentity = route({
  ...common,
  action: '',
  summary: 'Refuse a SPIFFE ID, or all below a path, from the next request on, and cut their connections',
  guard: write,
  limits: small,
  audit: 'deny.put',
  subject: 'spiffeId',
  repeatable: true,
  /** Until a time, or for so many seconds; for ever with neither. Denied again, it gets the new reason and end. */
  request: z.object({
    spiffeId,
    reason: unicodeText(longestReason).refine((value) => value.trim() !== '', 'has to say why'),
    until: time.optional(),
    seconds: whole.min(1, 'is at least one second').max(mostSeconds, 'is at most 366 days').optional(),
  }),
  response: z.object({
    denial,
    /** How many connections were cut. */
    cut: whole,
  }),
  error: errorShape(),
});

export const listDenials = route({
  ...common,
  action: 'list',
  summary: 'List the SPIFFE IDs that are denied now, newest first',
  guard: { kind: 'administrator', privilege: 'deny.read' },
  limits: listing,
  audit: 'deny.list',
  repeatable: true,
  request: z.object({}),
  response: z.object({ denials: z.array(denial) }),
  error: errorShape({ denials: null }),
});

export const liftDenial = route({
  ...common,
  action: 'lift',
  summary: 'Let a SPIFFE ID, or all below a path, be served again as policies say',
  guard: write,
  limits: small,
  audit: 'deny.lift',
  subject: 'spiffeId',
  repeatable: false,
  request: z.object({ spiffeId }),
  response: z.object({
    denial,
    /** Another denial that covers the same still. */
    coveredBy: z.string().optional(),
  }),
  error: errorShape(),
  fails: ['api_not_found'],
});
