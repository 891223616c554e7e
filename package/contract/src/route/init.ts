import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, patient } from '../limit.ts';
import { administratorName, password } from '../schema/administrator.ts';
import { text } from '../schema/field.ts';
import { begun } from '../schema/session.ts';

export const initialize = route({
  path: '/v1/admin/init',
  action: '',
  summary: 'Make the first administrator, once; answers with the first token',
  guard: { kind: 'role', anyOf: ['superuser'] },
  need: 'unlocked',
  limits: patient,
  audit: 'init',
  // No subject: the record of a success names the administrator, and what else was typed may be a password.
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ user: administratorName, password, code: text(128) }),
  /** `auditKey` is what signs the audit's checkpoints: to be kept, since it is told here by who has it for certain. */
  response: begun.extend({ auditKey: z.string().optional() }),
  error: errorShape(),
  fails: ['state_already_initialized', 'login_refused', 'password_weak'],
});
