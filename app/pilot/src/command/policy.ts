import { createInterface } from 'node:readline/promises';
import { SpikeError } from '@spike/error';
import { readSmallFile } from '../input/file.ts';
import { decode } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import { parseFormat, toJson, toYaml } from '../output/format.ts';
import type { FormatOptions, ListFilters, PolicyFlags } from '../option.ts';
import { openSession, type Session } from '../session.ts';

interface PolicySpec {
  readonly name: string;
  readonly spiffeidPattern: string;
  readonly pathPattern: string;
  readonly permissions: string[];
}

const permissionNames: readonly string[] = ['read', 'write', 'list', 'execute', 'super'];
const maxFileBytes = 65_536;

/** Looks for the name first, as the Go command does; it is `apply` that replaces. */
export async function createPolicy(invocation: Invocation, flags: PolicyFlags): Promise<void> {
  const spec = specFromFlags(flags);
  await using session = await openSession(invocation, 'superuser');
  if (await hasPolicy(session, invocation, spec.name)) {
    throw new SpikeError(
      'entity_version_conflict',
      `there is a policy ${spec.name} already; replace it with policy apply`,
    );
  }
  await put(session, invocation, spec);
  invocation.stdout.write('Policy created successfully\n');
}

export async function applyPolicy(invocation: Invocation, flags: PolicyFlags): Promise<void> {
  const spec = flags.file === undefined ? specFromFlags(flags) : await specFromFile(flags.file);
  await using session = await openSession(invocation, 'superuser');
  await put(session, invocation, spec);
  invocation.stdout.write(`Policy '${spec.name}' applied successfully\n`);
}

export async function listPolicies(invocation: Invocation, options: ListFilters): Promise<void> {
  if (options.pathPattern !== undefined && options.spiffeidPattern !== undefined) {
    throw new SpikeError('data_invalid_input', 'use --path-pattern or --spiffeid-pattern, not both');
  }
  const format = parseFormat(options.format);
  await using session = await openSession(invocation, 'superuser');
  const filters = { spiffeidPattern: options.spiffeidPattern ?? '', pathPattern: options.pathPattern ?? '' };
  const { policies } = await session.client.listPolicies(filters, { signal: invocation.signal });
  switch (format) {
    case 'json':
      invocation.stdout.write(toJson(policies, 2));
      return;
    case 'yaml':
      invocation.stdout.write(await toYaml(policies));
      return;
    case 'human':
      if (policies.length === 0) invocation.stdout.write('No policies found.\n');
      else {
        const items = policies.map(({ name }) => `Name: ${name}\n--------\n\n`).join('');
        invocation.stdout.write(`POLICIES\n========\n\n${items}\n`);
      }
  }
}

export async function getPolicy(
  invocation: Invocation,
  name: string | undefined,
  options: FormatOptions,
): Promise<void> {
  const format = parseFormat(options.format);
  const id = required(name);
  await using session = await openSession(invocation, 'superuser');
  const policy = await session.client.getPolicy({ id }, { signal: invocation.signal });
  switch (format) {
    case 'json':
      invocation.stdout.write(toJson(policy, 2));
      return;
    case 'yaml':
      // The keys of the Go command, which are its field names in lower case.
      invocation.stdout.write(
        await toYaml({
          id: policy.id,
          name: policy.name,
          spiffeidpattern: policy.spiffiedPattern,
          pathpattern: policy.pathPattern,
          permissions: policy.permissions,
          createdat: policy.createdAt,
          updatedat: policy.updatedAt,
          idregex: null,
          pathregex: null,
        }),
      );
      return;
    case 'human':
      invocation.stdout.write(
        `POLICY DETAILS\n=============\n\nName: ${policy.name}\nSPIFFE ID Pattern: ${policy.spiffiedPattern}\n` +
          `Path Pattern: ${policy.pathPattern}\nPermissions: ${policy.permissions.join(', ')}\n` +
          `Created At: ${policy.createdAt}\nUpdated At: ${policy.updatedAt}\n`,
      );
  }
}

export async function deletePolicy(
  invocation: Invocation,
  name: string | undefined,
  yes: boolean,
): Promise<void> {
  const id = required(name);
  await using session = await openSession(invocation, 'superuser');
  if (!(await hasPolicy(session, invocation, id)))
    throw new SpikeError('api_not_found', `there is no policy ${id}`);
  if (!yes && !(await confirm(invocation, `Are you sure you want to delete policy '${id}'? (y/N): `))) {
    invocation.stdout.write('Operation canceled.\n');
    return;
  }
  await session.client.deletePolicy({ id }, { signal: invocation.signal });
  invocation.stdout.write('Policy deleted successfully\n');
}

async function put(session: Session, invocation: Invocation, spec: PolicySpec): Promise<void> {
  const { warnings = [] } = await session.client.putPolicy(spec, { signal: invocation.signal });
  for (const warning of warnings) invocation.stderr.write(`Warning: ${warning}\n`);
}

async function hasPolicy(session: Session, invocation: Invocation, name: string): Promise<boolean> {
  const { policies } = await session.client.listPolicies(
    { spiffeidPattern: '', pathPattern: '' },
    { signal: invocation.signal },
  );
  return policies.some((policy) => policy.name === name);
}

function specFromFlags(flags: PolicyFlags): PolicySpec {
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
  };
}

async function specFromFile(file: string): Promise<PolicySpec> {
  const { parse } = await import('yaml');
  const content = decode(await readSmallFile(file, maxFileBytes), file);
  let value: unknown;
  try {
    value = parse(content, { maxAliasCount: 0 });
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it is not understood';
    throw new SpikeError('data_invalid_input', `${file} is not YAML: ${why}`, { cause: error });
  }
  const field = (name: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? Reflect.get(value, name)
      : undefined;
  const text = (name: string): string => {
    const found = field(name);
    if (typeof found === 'string' && found !== '') return found;
    throw new SpikeError('data_invalid_input', `${file}: ${name} has to be a text`);
  };
  const permissions = field('permissions');
  if (
    !Array.isArray(permissions) ||
    permissions.length === 0 ||
    !permissions.every((item) => typeof item === 'string')
  ) {
    throw new SpikeError('data_invalid_input', `${file}: permissions has to be a list such as [read, list]`);
  }
  return {
    name: text('name'),
    spiffeidPattern: text('spiffeidPattern'),
    pathPattern: text('pathPattern'),
    permissions: parsePermissions(permissions),
  };
}

function parsePermissions(texts: readonly string[]): string[] {
  const permissions = texts.map((text) => text.trim()).filter((text) => text !== '');
  const unknown = permissions.filter((permission) => !permissionNames.includes(permission));
  if (permissions.length > 0 && unknown.length === 0) return permissions;
  throw new SpikeError('data_invalid_input', `permissions are a list of ${permissionNames.join(', ')}`);
}

function required(name: string | undefined): string {
  if (name !== undefined && name !== '') return name;
  throw new SpikeError('data_invalid_input', 'name the policy, as an argument or with --name');
}

async function confirm(invocation: Invocation, question: string): Promise<boolean> {
  const lines = createInterface({ input: invocation.stdin });
  try {
    invocation.stdout.write(question);
    const line = await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
    return /^[yY]$/.test(line.trim());
  } finally {
    lines.close();
  }
}
