import { z } from 'zod';
import { route } from '../define.ts';
import { defaultSecretBytes, errorShape, intakeOf, listing, output, overview, small } from '../limit.ts';
import {
  encodingMap,
  labelMap,
  secretPath,
  text,
  time,
  unicodeText,
  valueMap,
  whole,
  wholeBetween,
} from '../schema/field.ts';
import { quickGet, quickPut } from './secret-quick.ts';

const path = '/v1/store/secrets';
const metadataPath = '/v1/store/secrets/metadata';
const emptyValues = () => Object.create(null) as Record<string, string>;
const noTime = '0001-01-01T00:00:00Z';

const versions = z.array(whole).max(1000, 'has at most 1000 versions');
const maxVersions = wholeBetween(1, 1000);
const owner = unicodeText(250);
const description = unicodeText(2000);

export const putSecret = route({
  path,
  action: '',
  summary: 'Store values at a path, as its next version',
  guard: { kind: 'policy', action: 'write', on: 'path', privilege: 'secret.write' },
  need: 'unlocked',
  limits: intakeOf(defaultSecretBytes),
  audit: 'secret.put',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({
    path: secretPath,
    values: valueMap.default(emptyValues),
    /** Those of the values that are base64 of bytes. */
    encoding: encodingMap.exactOptional(),
    /** The version that a get would answer now, 0 for none: else this is refused with `entity_version_conflict`. */
    cas: whole.min(0, 'is at least 0').exactOptional(),
    /** How many versions this secret keeps from now on. */
    maxVersions: maxVersions.exactOptional(),
  }),
  response: z.object({ version: whole.optional() }),
  error: errorShape(),
  fails: ['entity_version_conflict'],
  quick: quickPut,
});

export const getSecret = route({
  path,
  action: 'get',
  summary: 'Read one version of a secret; 0 is the current one',
  guard: { kind: 'policy', action: 'read', on: 'path', privilege: 'secret.read' },
  need: 'unlocked',
  limits: output,
  audit: 'secret.get',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ path: secretPath, version: whole.default(0) }),
  response: z.object({
    data: valueMap,
    version: whole.optional(),
    /** There when some value is base64 of bytes. */
    encoding: encodingMap.optional(),
  }),
  error: errorShape({ data: null }),
  fails: ['api_not_found'],
  quick: quickGet,
});

export const deleteSecret = route({
  path,
  action: 'delete',
  summary: 'Mark versions of a secret as deleted; none or 0 is the current one',
  guard: { kind: 'policy', action: 'write', on: 'path', privilege: 'secret.write' },
  need: 'unlocked',
  limits: small,
  audit: 'secret.delete',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({ path: secretPath, versions: versions.default([]) }),
  response: z.object({}),
  error: errorShape(),
  fails: ['api_not_found'],
});

export const undeleteSecret = route({
  path,
  action: 'undelete',
  summary: 'Bring deleted versions of a secret back; none or 0 is the newest deleted one',
  guard: { kind: 'policy', action: 'write', on: 'path', privilege: 'secret.write' },
  need: 'unlocked',
  limits: small,
  audit: 'secret.undelete',
  repeatable: false,
  unknownFields: 'ignore',
  request: z.object({ path: secretPath, versions: versions.default([]) }),
  response: z.object({}),
  error: errorShape(),
  fails: ['api_not_found'],
});

export const destroySecret = route({
  path,
  action: 'destroy',
  summary: 'Remove versions of a secret for good, or all of it with what is known about it',
  guard: { kind: 'policy', action: 'write', on: 'path', privilege: 'secret.write' },
  need: 'unlocked',
  limits: small,
  audit: 'secret.destroy',
  repeatable: false,
  unknownFields: 'refuse',
  request: z
    .object({
      path: secretPath,
      versions: z
        .array(whole.min(1, 'has numbers of versions, from 1 on'))
        .min(1, 'names at least one version')
        .max(1000, 'has at most 1000 versions')
        .exactOptional(),
      all: z.literal(true, 'is true or left out').exactOptional(),
    })
    .refine(
      (request) => (request.versions === undefined) !== (request.all === undefined),
      'it has either versions or all',
    )
    .meta({ oneOf: [{ required: ['versions'] }, { required: ['all'] }] }),
  response: z.object({}),
  error: errorShape(),
  fails: ['api_not_found'],
});

/** Without `limit`, which a Go client does not know, all paths come in one answer, if they are few enough. */
export const listSecrets = route({
  path,
  action: 'list',
  summary: 'List the paths that the caller may list',
  guard: { kind: 'listing', action: 'list', at: 'spike/system/secret', privilege: 'secret.list' },
  need: 'unlocked',
  limits: listing,
  audit: 'secret.list',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({
    prefix: text(500).exactOptional(),
    limit: wholeBetween(1, 10_000).exactOptional(),
    cursor: text(4096).exactOptional(),
    /** False lists one level: what lies deeper shows as a directory, which ends in a slash. True unless told. */
    recursive: z.boolean().exactOptional(),
  }),
  response: z.object({ keys: z.array(z.string()), cursor: z.string().optional() }),
  error: errorShape({ keys: null }),
});

export const getMetadata = route({
  path: metadataPath,
  action: 'get',
  summary: 'Show what is known about a secret, with all its versions',
  guard: { kind: 'policy', action: 'read', on: 'path', privilege: 'secret.metadata' },
  need: 'unlocked',
  limits: overview,
  audit: 'metadata.get',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ path: secretPath, version: whole.default(0) }),
  response: z.object({
    versions: z.record(
      z.string(),
      z.object({ createdTime: time, version: whole, deletedTime: time.nullable() }),
    ),
    metadata: z.object({
      currentVersion: whole,
      oldestVersion: whole,
      createdTime: time,
      updatedTime: time,
      maxVersions: whole,
      owner: owner.optional(),
      description: description.optional(),
      labels: labelMap.optional(),
    }),
  }),
  error: errorShape({
    metadata: {
      currentVersion: 0,
      oldestVersion: 0,
      createdTime: noTime,
      updatedTime: noTime,
      maxVersions: 0,
    },
  }),
  fails: ['api_not_found'],
});

/** What is given is replaced, the rest stays; an empty text or object clears. */
export const setMetadata = route({
  path: metadataPath,
  action: 'set',
  summary: 'Change what is known about a secret: how many versions it keeps, owner, description, labels',
  guard: { kind: 'policy', action: 'write', on: 'path', privilege: 'secret.write' },
  need: 'unlocked',
  limits: small,
  audit: 'metadata.set',
  repeatable: true,
  unknownFields: 'refuse',
  request: z
    .object({
      path: secretPath,
      maxVersions: maxVersions.exactOptional(),
      owner: owner.exactOptional(),
      description: description.exactOptional(),
      labels: labelMap.exactOptional(),
    })
    .refine(
      ({ path: _path, ...fields }) => Object.values(fields).some((field) => field !== undefined),
      'it changes nothing: give maxVersions, owner, description or labels',
    )
    .meta({ minProperties: 2 }),
  response: z.object({}),
  error: errorShape(),
  fails: ['api_not_found'],
});
