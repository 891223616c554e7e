import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, patient, small } from '../limit.ts';
import { administratorName, password } from '../schema/administrator.ts';
import { whole } from '../schema/field.ts';
import { begun, scope, ttlSeconds } from '../schema/session.ts';

/** `newPassword` in place of a one-time password, which is good for nothing else. */
export const login = route({
  path: '/v1/admin/login',
  action: '',
  summary: 'Exchange a password for a token',
  guard: { kind: 'role', anyOf: ['superuser'] },
  need: 'restoring',
  limits: patient,
  /** Its record names the administrator where there is one: what nobody is called may be a password in the wrong place. */
  audit: 'login',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({
    user: administratorName,
    password,
    newPassword: password.optional(),
    ttlSeconds: ttlSeconds.default(3600),
    uses: whole.min(1, 'is at least 1').max(1_000_000, 'is at most 1000000').optional(),
    scope: scope.default('all'),
  }),
  response: begun,
  error: errorShape(),
  fails: ['login_refused', 'password_change_required', 'password_weak', 'state_not_initialized'],
});

export const logout = route({
  path: '/v1/admin/logout',
  action: '',
  summary: 'End the session that asks; with `all`, every session of this administrator',
  guard: { kind: 'session' },
  need: 'restoring',
  limits: small,
  audit: 'logout',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ all: z.boolean('has to be true or false').default(false) }),
  response: z.object({ ended: whole }),
  error: errorShape({ ended: 0 }),
});
