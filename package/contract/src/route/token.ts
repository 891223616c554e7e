import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, overview, small } from '../limit.ts';
import { accessor } from '../schema/administrator.ts';
import { text, whole } from '../schema/field.ts';
import { session, ttlSeconds } from '../schema/session.ts';

const path = '/v1/admin/token';

export const listTokens = route({
  path,
  action: 'list',
  summary: 'List the sessions of administrators',
  guard: { kind: 'administrator', privilege: 'token.read' },
  need: 'unlocked',
  limits: overview,
  audit: 'token.list',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({}),
  response: z.object({ sessions: z.array(session) }),
  error: errorShape({ sessions: null }),
});

export const getToken = route({
  path,
  action: 'get',
  summary: 'Show one session',
  guard: { kind: 'administrator', privilege: 'token.read' },
  need: 'unlocked',
  limits: small,
  audit: 'token.get',
  subject: 'accessor',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ accessor }),
  response: z.object({ session }),
  error: errorShape(),
  fails: ['api_not_found'],
});

export const showToken = route({
  path,
  action: 'self',
  summary: 'Show the session that asks',
  guard: { kind: 'session' },
  need: 'unlocked',
  limits: small,
  audit: 'token.show',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({}),
  response: z.object({ session }),
  error: errorShape(),
});

export const renewToken = route({
  path,
  action: 'renew',
  summary: 'Let the session that asks end later, at most 12 hours after its login',
  guard: { kind: 'session' },
  need: 'unlocked',
  limits: small,
  audit: 'token.renew',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ ttlSeconds: ttlSeconds.default(3600) }),
  response: z.object({ session }),
  error: errorShape(),
});

/** `which` is the accessor or the name; nothing for all. */
export const revokeTokens = route({
  path,
  action: 'revoke',
  summary: 'End sessions: one, those of one administrator, or all',
  guard: { kind: 'administrator', privilege: 'token.revoke' },
  need: 'unlocked',
  limits: small,
  audit: 'token.revoke',
  subject: 'which',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({
    by: z.enum(['accessor', 'user', 'all'], 'has to be accessor, user or all'),
    which: text(64).default(''),
  }),
  response: z.object({ ended: whole }),
  error: errorShape({ ended: 0 }),
  fails: ['api_not_found'],
});
