import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, overview } from '../limit.ts';
import { time, whole } from '../schema/field.ts';

const most = 1000;

export const listHistory = route({
  path: '/v1/operator/status',
  action: 'history',
  summary: 'List the changes of the state of the system, newest first',
  guard: { kind: 'administrator', privilege: 'status.read' },
  need: 'unlocked',
  limits: overview,
  audit: 'operator.history',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ limit: whole.min(1).max(most).default(most) }),
  response: z.object({
    entries: z.array(
      z.object({
        id: whole,
        at: time,
        kind: z.string(),
        /** What the kind means. */
        says: z.string(),
        detail: z.record(z.string(), z.union([z.string(), z.number()])),
      }),
    ),
  }),
  error: errorShape({ entries: null }),
});
