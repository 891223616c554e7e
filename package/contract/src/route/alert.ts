import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, overview, small } from '../limit.ts';
import { time, whole } from '../schema/field.ts';

const path = '/v1/operator/alert';
const most = 1000;

const alert = z.object({
  id: whole,
  kind: z.string(),
  severity: z.enum(['info', 'warning', 'critical']),
  /** What it is about; empty where there is but one of its kind. */
  subject: z.string(),
  message: z.string(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  count: whole,
  firstAt: time,
  lastAt: time,
  acknowledged: z.object({ by: z.string(), at: time }).optional(),
});

export const listAlerts = route({
  path,
  action: 'list',
  summary: 'List alerts, newest first: the open ones, or with `all` those that were acknowledged, too',
  guard: { kind: 'administrator', privilege: 'alert.read' },
  need: 'unlocked',
  limits: { ...overview, responseBytes: 8 * overview.responseBytes },
  audit: 'alert.list',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({
    all: z.boolean('has to be true or false').default(false),
    limit: whole.min(1).max(most).default(most),
  }),
  response: z.object({ alerts: z.array(alert), open: z.record(z.string(), whole) }),
  error: errorShape({ alerts: null }),
});

export const getAlert = route({
  path,
  action: 'get',
  summary: 'Show an alert, what its kind means and what to do',
  guard: { kind: 'administrator', privilege: 'alert.read' },
  need: 'unlocked',
  limits: small,
  audit: 'alert.get',
  subject: 'id',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ id: whole.min(1) }),
  response: z.object({ alert, means: z.string(), advice: z.string() }),
  error: errorShape({ alert: null }),
  fails: ['api_not_found'],
});

export const acknowledgeAlert = route({
  path,
  action: 'acknowledge',
  summary: 'Say that somebody has seen to an alert; the first who does so is kept',
  guard: { kind: 'administrator', privilege: 'alert.acknowledge' },
  need: 'unlocked',
  limits: small,
  audit: 'alert.acknowledge',
  subject: 'id',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ id: whole.min(1) }),
  response: z.object({ alert }),
  error: errorShape({ alert: null }),
  fails: ['api_not_found'],
});
