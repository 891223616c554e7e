import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, patient } from '../limit.ts';
import { password } from '../schema/administrator.ts';
import { whole } from '../schema/field.ts';

export const changePassword = route({
  path: '/v1/admin/password',
  action: '',
  summary: 'Change the password of the administrator who asks; all other sessions of his end',
  guard: { kind: 'session' },
  need: 'unlocked',
  limits: patient,
  audit: 'password.change',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ password, newPassword: password }),
  response: z.object({ ended: whole }),
  error: errorShape({ ended: 0 }),
  fails: ['login_refused', 'password_weak'],
});
