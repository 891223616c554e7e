import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpikeError } from '@spike/error';
import type { PolicyFlags } from '../option.ts';
import { readSmallFile } from './file.ts';
import { decode } from './hidden.ts';

export interface PolicySpec {
  readonly name: string;
  readonly spiffeidPattern: string;
  readonly pathPattern: string;
  readonly permissions: string[];
  /** Left out for a policy that counts everywhere, and by a tenant_admin. */
  readonly tenant?: string;
}

/** Policies that were asked for, and what was passed over on the way to them. */
export interface PolicySet {
  readonly specs: readonly PolicySpec[];
  readonly warnings: readonly string[];
}

const fields: readonly string[] = ['name', 'spiffeidPattern', 'pathPattern', 'permissions'];
const optionalFields: readonly string[] = ['tenant'];
const permissionNames: readonly string[] = ['read', 'write', 'list', 'execute', 'super'];
const mostFileBytes = 1_048_576;
const mostFiles = 1000;
const mostPolicies = 10_000;

/** Names are unique within a tenant, and no name has a slash. */
function idOf({ name, tenant }: { readonly name: string; readonly tenant?: string }): string {
  return tenant === undefined ? name : `${tenant}/${name}`;
}

export function policyFromFlags(flags: PolicyFlags): PolicySpec {
  const missing = (
    [
      ['--name', flags.name],
      ['--path-pattern', flags.pathPattern],
      ['--spiffeid-pattern', flags.spiffeidPattern],
      ['--permissions', flags.permissions],
    ] as const
  ).flatMap(([flag, value]) => (value === undefined || value === '' ? [flag] : []));
  if (missing.length > 0) throw new SpikeError('data_invalid_input', `missing: ${missing.join(', ')}`);
  return {
    name: flags.name ?? '',
    spiffeidPattern: flags.spiffeidPattern ?? '',
    pathPattern: flags.pathPattern ?? '',
    permissions: parsePermissions((flags.permissions ?? '').split(',')),
    ...(flags.tenant === undefined ? {} : { tenant: flags.tenant }),
  };
}

/** A file of one or several YAML documents, or the files `*.yaml` and `*.yml` of a directory in the order of their names. */
export async function readPolicies(place: string, stdin: () => Promise<Uint8Array>): Promise<PolicySet> {
  const { parsePolicies } = await import('./policy-file.ts');
  const sets: PolicySet[] = [];
  for (const file of await findFiles(place)) {
    const bytes = file === '-' ? await stdin() : await readSmallFile(file, mostFileBytes);
    sets.push(parsePolicies(decode(bytes, nameOf(file)), nameOf(file)));
  }
  const specs = sets.flatMap((set) => set.specs);
  const where = nameOf(place);
  if (specs.length === 0) throw new SpikeError('data_invalid_input', `there is no policy in ${where}`);
  if (specs.length > mostPolicies)
    throw new SpikeError('data_invalid_input', `${where} has more than ${mostPolicies} policies`);
  const ids = new Set<string>();
  for (const spec of specs) {
    const id = idOf(spec);
    if (ids.has(id)) throw new SpikeError('data_invalid_input', `${where} has the policy ${id} twice`);
    ids.add(id);
  }
  return { specs, warnings: sets.flatMap((set) => set.warnings) };
}

/** One document, parsed to maps. What is missing or of another kind is refused, unknown fields are passed over with a warning, as the Go command does. */
export function toPolicy(document: unknown, where: string): PolicySet {
  if (!(document instanceof Map))
    throw new SpikeError('data_invalid_input', `${where} has to have ${fields.join(', ')}`);
  const text = (name: string): string => {
    const found: unknown = document.get(name);
    if (typeof found === 'string' && found !== '') return found;
    throw new SpikeError('data_invalid_input', `${where}: ${name} has to be a text`);
  };
  const texts = {
    name: text('name'),
    spiffeidPattern: text('spiffeidPattern'),
    pathPattern: text('pathPattern'),
  };
  const permissions: unknown = document.get('permissions');
  if (!Array.isArray(permissions) || !permissions.every((item) => typeof item === 'string'))
    throw new SpikeError('data_invalid_input', `${where}: permissions has to be a list such as [read, list]`);
  const unknown = [...document.keys()]
    .map(String)
    .filter((name) => !fields.includes(name) && !optionalFields.includes(name));
  return {
    specs: [
      {
        ...texts,
        ...(document.has('tenant') ? { tenant: text('tenant') } : {}),
        permissions: parsePermissions(permissions, `${where}: `),
      },
    ],
    warnings:
      unknown.length === 0 ? [] : [`${where}: passed over ${unknown.join(', ')}, which no policy has`],
  };
}

function parsePermissions(texts: readonly string[], where = ''): string[] {
  const permissions = texts.map((text) => text.trim()).filter((text) => text !== '');
  const unknown = permissions.filter((permission) => !permissionNames.includes(permission));
  if (permissions.length > 0 && unknown.length === 0) return permissions;
  throw new SpikeError(
    'data_invalid_input',
    `${where}permissions are a list of ${permissionNames.join(', ')}`,
  );
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

async function findFiles(place: string): Promise<readonly string[]> {
  const isDirectory = place !== '-' && (await stat(place).catch(() => undefined))?.isDirectory() === true;
  if (!isDirectory) return [place];
  const names = (await readdir(place)).filter((name) => /\.ya?ml$/.test(name)).toSorted();
  if (names.length > 0 && names.length <= mostFiles) return names.map((name) => join(place, name));
  const why = names.length === 0 ? 'has no *.yaml and no *.yml' : `has more than ${mostFiles} files`;
  throw new SpikeError('data_invalid_input', `${place} ${why}`);
}
