import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, listing, small } from '../limit.ts';
import { name, text, time } from '../schema/field.ts';

/** The prefix of paths below which the policy counts, whatever its pattern says; left out for one that counts everywhere. */
const tenant = text(500).exactOptional();

const path = '/v1/acl/policy';
const at = 'spike/system/acl';

const spiffePattern = {
  description: 'RE2; has to match the whole SPIFFE ID.',
  pattern: String.raw`^\^?spiffe://[\\a-zA-Z0-9.\-*()+?\[\]]+(?:/[\\/a-zA-Z0-9._\-*()+?\[\]]+)?\$?$`,
};
const pathPattern = {
  description: 'RE2; has to match the whole path.',
  pattern: String.raw`^[a-zA-Z0-9._\-/^$()?+*|\[\]{}\\]{1,500}$`,
};

/** Patterns and permissions are judged by the policy engine, which knows the sentences to say. */
export const putPolicy = route({
  path,
  action: '',
  summary: 'Create a policy, or replace the one of that name',
  guard: { kind: 'policy', action: 'write', at, privilege: 'policy.write' },
  need: 'unlocked',
  limits: small,
  audit: 'policy.put',
  subject: 'name',
  repeatable: false,
  unknownFields: 'ignore',
  request: z
    .object({
      name,
      spiffeidPattern: text(4096).meta(spiffePattern).default(''),
      pathPattern: text(500).meta(pathPattern).default(''),
      permissions: z
        .array(text(32).meta({ enum: ['read', 'write', 'list', 'execute', 'super'] }))
        .max(100, 'has at most 100 permissions')
        .meta({ minItems: 1 })
        .default([]),
      tenant,
    })
    // What is left out is empty, and the engine takes nothing empty.
    .meta({ required: ['name', 'spiffeidPattern', 'pathPattern', 'permissions'] }),
  response: z.object({ warnings: z.array(z.string()).optional() }),
  error: errorShape(),
  fails: ['entity_limit_reached'],
});

export const getPolicy = route({
  path,
  action: 'get',
  summary: 'Show a policy; `id` is its name',
  guard: { kind: 'policy', action: 'read', at, privilege: 'policy.read' },
  need: 'unlocked',
  limits: small,
  audit: 'policy.get',
  subject: 'id',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ id: name, tenant }),
  response: z.object({
    id: z.string(),
    name: z.string(),
    /** The original's spelling. */
    spiffiedPattern: z.string(),
    pathPattern: z.string(),
    permissions: z.array(z.string()),
    createdAt: time,
    updatedAt: time,
    tenant,
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
  fails: ['api_not_found'],
});

export const deletePolicy = route({
  path,
  action: 'delete',
  summary: 'Delete a policy; `id` is its name',
  guard: { kind: 'policy', action: 'write', at, privilege: 'policy.write' },
  need: 'unlocked',
  limits: small,
  audit: 'policy.delete',
  subject: 'id',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({ id: name, tenant }),
  response: z.object({}),
  error: errorShape(),
  fails: ['api_not_found'],
});

/** A filter is compared with the pattern as it is stored; empty is none, and the SPIFFE one wins. */
export const listPolicies = route({
  path,
  action: 'list',
  summary: 'List the names of policies',
  guard: { kind: 'policy', action: 'list', at, privilege: 'policy.read' },
  need: 'unlocked',
  limits: listing,
  audit: 'policy.list',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ spiffeidPattern: text(4096).default(''), pathPattern: text(4096).default('') }),
  response: z.object({ policies: z.array(z.object({ id: z.string(), name: z.string(), tenant })) }),
  error: errorShape({ policies: null }),
});
