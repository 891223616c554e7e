import { z } from 'zod';
import { route } from '../define.ts';
import { auditPage, errorShape, overview, small } from '../limit.ts';
import { text, time, unicodeText, whole } from '../schema/field.ts';

/* Access of an emergency_admin, for a while and with a reason (admin.md D). */

const path = '/v1/breakglass';
const longestReason = 500;
const longestSeconds = 12 * 3_600;
const mostLines = 1_000;

const common = { path, need: 'unlocked', unknownFields: 'refuse' } as const;
const decide = { kind: 'administrator', privilege: 'breakglass.decide' } as const;
const read = { kind: 'administrator', privilege: 'breakglass.read' } as const;

const id = text(64);

const breakglass = z.object({
  id: z.string(),
  administrator: z.string(),
  reason: z.string(),
  /** `waiting`: for a second administrator, or for the delay to pass. */
  state: z.enum(['waiting', 'open', 'cancelled', 'closed', 'over']),
  openedAt: time,
  /** From when on it gives access; while it waits, when it will without an approval. */
  effectiveAt: time,
  /** When it is over by itself. */
  expiresAt: time,
  approvedBy: z.string().optional(),
  /** Who ended it before its time, and when. */
  endedBy: z.string().optional(),
  endedAt: time.optional(),
});
const answer = z.object({ breakglass });
const error = errorShape();

export const openBreakglass = route({
  ...common,
  action: 'open',
  summary:
    'Ask for access in an emergency; it opens when another administrator approves or when the delay is over',
  guard: { kind: 'administrator', privilege: 'breakglass.open' },
  limits: small,
  audit: 'breakglass.open',
  repeatable: false,
  request: z.object({
    reason: unicodeText(longestReason).refine((value) => value.trim() !== '', 'has to say why'),
    ttlSeconds: whole
      .min(60, 'is at least one minute')
      .max(longestSeconds, `is at most ${longestSeconds} seconds`)
      .default(3_600),
  }),
  response: answer,
  error,
  fails: ['entity_version_conflict'],
});

export const approveBreakglass = change('approve', 'Let a break-glass open now', decide);
export const cancelBreakglass = change('cancel', 'End a break-glass that waits or is open', decide);

export const closeBreakglass = route({
  ...common,
  action: 'close',
  summary: 'End the own break-glass',
  guard: { kind: 'administrator', privilege: 'breakglass.open' },
  limits: small,
  audit: 'breakglass.close',
  repeatable: false,
  request: z.object({}),
  response: answer,
  error,
  fails: ['api_not_found'],
});

export const listBreakglasses = route({
  ...common,
  action: 'list',
  summary: 'List break-glasses, newest first; an emergency_admin sees his own',
  guard: read,
  limits: overview,
  audit: 'breakglass.list',
  repeatable: true,
  request: z.object({}),
  response: z.object({ breakglasses: z.array(breakglass) }),
  error: errorShape({ breakglasses: null }),
});

export const reportBreakglass = route({
  ...common,
  action: 'report',
  summary: 'What was done in a break-glass, as the lines of the audit tell; the newest one without an id',
  guard: read,
  limits: auditPage,
  audit: 'breakglass.report',
  repeatable: true,
  request: z.object({ id: id.optional(), from: whole.min(0).optional() }),
  /** At most 1,000 lines; `next` is what to ask for to go on. */
  response: z.object({
    breakglass,
    lines: z.array(z.string()).max(mostLines),
    next: whole.optional(),
  }),
  error: errorShape({ lines: null }),
  fails: ['api_not_found'],
});

function change<const Action extends 'approve' | 'cancel'>(
  action: Action,
  summary: string,
  guard: typeof decide,
) {
  return route({
    ...common,
    action,
    summary,
    guard,
    limits: small,
    audit: `breakglass.${action}`,
    subject: 'id',
    repeatable: false,
    request: z.object({ id }),
    response: answer,
    error,
    fails: ['api_not_found', 'entity_version_conflict'],
  });
}
