import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, overview, patient, small } from '../limit.ts';
import { administratorName, role } from '../schema/administrator.ts';
import { text, time } from '../schema/field.ts';

const path = '/v1/admin/administrator';
const write = { kind: 'administrator', privilege: 'administrator.write' } as const;
const read = { kind: 'administrator', privilege: 'administrator.read' } as const;

const administrator = z.object({
  name: z.string(),
  role,
  tenant: z.string().optional(),
  spiffeId: z.string(),
  /** Others log in from this SPIFFE ID, too. */
  sharesId: z.boolean(),
  state: z.enum(['enabled', 'disabled']),
  /** There is a one-time password until then, which nobody has changed yet. */
  oneTimeUntil: time.optional(),
  createdAt: time,
  createdBy: z.string(),
  issuedAt: time,
  issuedBy: z.string(),
});

const issued = z.object({ administrator, oneTimePassword: z.string() });

export const createAdministrator = route({
  path,
  action: '',
  summary: 'Make an administrator; answers with a one-time password',
  guard: write,
  need: 'unlocked',
  limits: patient,
  audit: 'administrator.create',
  subject: 'name',
  repeatable: false,
  unknownFields: 'refuse',
  /** Without a SPIFFE ID he logs in from the one of whoever makes him. */
  request: z.object({
    name: administratorName,
    role,
    tenant: text(500).optional(),
    spiffeId: text(2048).optional(),
  }),
  response: issued,
  error: errorShape(),
  fails: ['entity_version_conflict', 'entity_limit_reached'],
});

export const listAdministrators = route({
  path,
  action: 'list',
  summary: 'List administrators',
  guard: read,
  need: 'unlocked',
  limits: overview,
  audit: 'administrator.list',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({}),
  response: z.object({ administrators: z.array(administrator) }),
  error: errorShape({ administrators: null }),
});

export const getAdministrator = route({
  path,
  action: 'get',
  summary: 'Show an administrator',
  guard: read,
  need: 'unlocked',
  limits: small,
  audit: 'administrator.get',
  subject: 'name',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ name: administratorName }),
  response: z.object({ administrator }),
  error: errorShape(),
  fails: ['api_not_found'],
});

export const disableAdministrator = change('disable', 'Disable an administrator; all sessions of his end');
export const enableAdministrator = change('enable', 'Enable an administrator again');

export const setAdministratorRole = route({
  path,
  action: 'set-role',
  summary: 'Give an administrator another role; all sessions of his end',
  guard: write,
  need: 'unlocked',
  limits: small,
  audit: 'administrator.set-role',
  subject: 'name',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ name: administratorName, role, tenant: text(500).optional() }),
  response: z.object({ administrator }),
  error: errorShape(),
  fails: ['api_not_found', 'entity_version_conflict', 'entity_limit_reached'],
});

export const resetAdministratorPassword = route({
  path,
  action: 'reset-password',
  summary: 'Give an administrator a one-time password; all sessions of his end',
  guard: write,
  need: 'unlocked',
  limits: patient,
  audit: 'administrator.reset-password',
  subject: 'name',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ name: administratorName }),
  response: issued,
  error: errorShape(),
  fails: ['api_not_found', 'entity_version_conflict'],
});

function change<const Action extends 'enable' | 'disable'>(action: Action, summary: string) {
  return route({
    path,
    action,
    summary,
    guard: write,
    need: 'unlocked',
    limits: small,
    audit: `administrator.${action}`,
    subject: 'name',
    repeatable: false,
    unknownFields: 'refuse',
    request: z.object({ name: administratorName }),
    response: z.object({ administrator }),
    error: errorShape(),
    fails: ['api_not_found', 'entity_version_conflict'],
  });
}
