import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, listing, small } from '../limit.ts';
import { name, text, time } from '../schema/field.ts';

const path = '/v1/acl/policy';
const at = 'spike/system/acl';

/** Patterns and permissions are judged by the policy engine, which knows the sentences to say. */
export const putPolicy = route({
  path,
  action: '',
  summary: 'Create a policy, or replace the one of that name',
  guard: { kind: 'policy', action: 'write', at },
  need: 'unlocked',
  limits: small,
  audit: 'policy.put',
  subject: 'name',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({
    name,
    spiffeidPattern: text(4096).default(''),
    pathPattern: text(500).default(''),
    permissions: z.array(text(32)).max(100, 'has at most 100 permissions').default([]),
  }),
  response: z.object({ warnings: z.array(z.string()).optional() }),
  error: errorShape(),
});

export const getPolicy = route({
  path,
  action: 'get',
  summary: 'Show a policy; `id` is its name',
  guard: { kind: 'policy', action: 'read', at },
  need: 'unlocked',
  limits: small,
  audit: 'policy.get',
  subject: 'id',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ id: name }),
  response: z.object({
    id: z.string(),
    name: z.string(),
    /** The original's spelling. */
    spiffiedPattern: z.string(),
    pathPattern: z.string(),
    permissions: z.array(z.string()),
    createdAt: time,
    updatedAt: time,
  }),
  error: errorShape({
    id: '',
    name: '',
    spiffiedPattern: '',
    pathPattern: '',
    permissions: null,
    createdAt: '0001-01-01T00:00:00Z',
    updatedAt: '0001-01-01T00:00:00Z',
  }),
});

export const deletePolicy = route({
  path,
  action: 'delete',
  summary: 'Delete a policy; `id` is its name',
  guard: { kind: 'policy', action: 'write', at },
  need: 'unlocked',
  limits: small,
  audit: 'policy.delete',
  subject: 'id',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({ id: name }),
  response: z.object({}),
  error: errorShape(),
});

/** A filter is compared with the pattern as it is stored; empty is none, and the SPIFFE one wins. */
export const listPolicies = route({
  path,
  action: 'list',
  summary: 'List the names of policies',
  guard: { kind: 'policy', action: 'list', at },
  need: 'unlocked',
  limits: listing,
  audit: 'policy.list',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ spiffeidPattern: text(4096).default(''), pathPattern: text(4096).default('') }),
  response: z.object({ policies: z.array(z.object({ id: z.string(), name: z.string() })) }),
  error: errorShape({ policies: null }),
});
