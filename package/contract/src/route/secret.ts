import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, intake, listing, output, small } from '../limit.ts';
import { secretPath, text, valueMap, whole } from '../schema/field.ts';

const path = '/v1/store/secrets';
const emptyValues = () => Object.create(null) as Record<string, string>;

export const putSecret = route({
  path,
  action: '',
  summary: 'Store values at a path, as its next version',
  guard: { kind: 'policy', action: 'write', on: 'path' },
  need: 'unlocked',
  limits: intake,
  audit: 'secret.put',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({ path: secretPath, values: valueMap.default(emptyValues) }),
  response: z.object({ version: whole.optional() }),
  error: errorShape(),
});

export const getSecret = route({
  path,
  action: 'get',
  summary: 'Read one version of a secret; 0 is the current one',
  guard: { kind: 'policy', action: 'read', on: 'path' },
  need: 'unlocked',
  limits: output,
  audit: 'secret.get',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ path: secretPath, version: whole.default(0) }),
  response: z.object({ data: valueMap, version: whole.optional() }),
  error: errorShape({ data: null }),
});

export const deleteSecret = route({
  path,
  action: 'delete',
  summary: 'Mark versions of a secret as deleted; none or 0 is the current one',
  guard: { kind: 'policy', action: 'write', on: 'path' },
  need: 'unlocked',
  limits: small,
  audit: 'secret.delete',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({
    path: secretPath,
    versions: z.array(whole).max(1000, 'has at most 1000 versions').default([]),
  }),
  response: z.object({}),
  error: errorShape(),
});

/** Without `limit`, which a Go client does not know, all paths come in one answer. */
export const listSecrets = route({
  path,
  action: 'list',
  summary: 'List the paths that the caller may list',
  guard: { kind: 'listing', action: 'list', at: 'spike/system/secret' },
  need: 'unlocked',
  limits: listing,
  audit: 'secret.list',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({
    prefix: text(500).exactOptional(),
    limit: whole.min(1).max(10_000).exactOptional(),
    cursor: text(4096).exactOptional(),
  }),
  response: z.object({ keys: z.array(z.string()), cursor: z.string().optional() }),
  error: errorShape({ keys: null }),
});
