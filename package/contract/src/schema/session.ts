import { z } from 'zod';
import { time, whole } from './field.ts';

/** In seconds. */
export const ttlSeconds = whole
  .min(1, 'is at least 1 second')
  .max(43_200, 'is at most 12 hours (43200 seconds)');

export const scope = z.enum(['all', 'read-only'], 'has to be all or read-only');

/** What is shown of a session; never its token. */
export const session = z.object({
  accessor: z.string(),
  administrator: z.string(),
  spiffeId: z.string(),
  remoteAddress: z.string(),
  scope,
  createdAt: time,
  lastUsedAt: time,
  expiresAt: time,
  uses: whole,
  usesLeft: whole.optional(),
});

/** The one answer that has a token in it. */
export const begun = z.object({ token: z.string(), session });
