import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError, toSpikeError } from '@spike/error';
import { confirmFinal } from '../input/confirm.ts';
import { policyFromFlags, type PolicySpec } from '../input/policy.ts';
import type { Invocation } from '../invocation.ts';
import { show, showDone } from '../output/show.ts';
import type { PolicyFilters, PolicyFlags, TenantFlag } from '../option.ts';
import { openSession, type Session } from '../session.ts';

/** Looks for the name first, as the Go command does; it is `apply` that replaces. */
export async function createPolicy(invocation: Invocation, flags: PolicyFlags): Promise<void> {
  const spec = policyFromFlags(flags);
  await using session = await openSession(invocation, 'superuser');
  if ((await findPolicy(session, spec)) !== undefined) {
    throw new SpikeError(
      'entity_version_conflict',
      `there is a policy ${spec.name} already; replace it with policy apply`,
    );
  }
  const warnings = await sendPolicy(session, invocation, spec);
  await showDone(invocation, 'Policy created successfully', { name: spec.name, warnings });
}

export async function listPolicies(invocation: Invocation, filters: PolicyFilters): Promise<void> {
  const { pathPattern = '', spiffeidPattern = '' } = filters;
  if (pathPattern !== '' && spiffeidPattern !== '')
    throw new SpikeError('data_invalid_input', 'use --path-pattern or --spiffeid-pattern, not both');
  await using session = await openSession(invocation, 'superuser');
  const { policies } = await session.client.listPolicies({ spiffeidPattern, pathPattern }, session.call);
  const shown = policies.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  await show(invocation, {
    human: (paint) => {
      if (shown.length === 0) return 'No policies found.\n';
      const items = shown
        .map((policy) => `Name: ${paint('bold', policy.name)}\n${describeTenant(policy)}--------\n\n`)
        .join('');
      return `POLICIES\n========\n\n${items}\n`;
    },
    value: shown,
    isPaged: true,
  });
}

export async function getPolicy(
  invocation: Invocation,
  name: string | undefined,
  { tenant }: TenantFlag,
): Promise<void> {
  const id = required(name);
  await using session = await openSession(invocation, 'superuser');
  const policy = await session.client.getPolicy({ id, ...toTenant(tenant) }, session.call);
  await show(invocation, {
    human: (paint) =>
      `POLICY DETAILS\n=============\n\nName: ${paint('bold', policy.name)}\n${describeTenant(policy)}` +
      `SPIFFE ID Pattern: ${policy.spiffiedPattern}\nPath Pattern: ${policy.pathPattern}\n` +
      `Permissions: ${policy.permissions.join(', ')}\n` +
      `Created At: ${policy.createdAt}\nUpdated At: ${policy.updatedAt}\n`,
    value: policy,
    // The keys of the Go command, which are its field names in lower case.
    yaml: {
      id: policy.id,
      name: policy.name,
      spiffeidpattern: policy.spiffiedPattern,
      pathpattern: policy.pathPattern,
      permissions: policy.permissions,
      createdat: policy.createdAt,
      updatedat: policy.updatedAt,
      ...toTenant(policy.tenant),
      idregex: null,
      pathregex: null,
    },
    isPaged: true,
  });
}

export async function deletePolicy(
  invocation: Invocation,
  name: string | undefined,
  flags: TenantFlag & { readonly yes?: true },
): Promise<void> {
  const id = required(name);
  await using session = await openSession(invocation, 'superuser');
  if ((await findPolicy(session, { name: id, tenant: flags.tenant })) === undefined)
    throw new SpikeError('api_not_found', `there is no policy ${id}`);
  const question = `Are you sure you want to delete policy '${id}'?`;
  if (!(await confirmFinal(invocation, question, { yes: flags.yes === true, takesPipe: true }))) {
    await showDone(invocation, 'Operation canceled.', { name: id, canceled: true });
    return;
  }
  await session.client.deletePolicy({ id, ...toTenant(flags.tenant) }, session.call);
  await showDone(invocation, 'Policy deleted successfully', { name: id });
}

/** Stores a policy; what Nexus warns of is told to people at once, and answered for programs. */
export async function sendPolicy(
  session: Session,
  { stderr, settings }: Invocation,
  spec: PolicySpec,
): Promise<readonly string[]> {
  const { warnings = [] } = await session.client.putPolicy(spec, session.call);
  if (settings.format === 'human') for (const warning of warnings) stderr.write(`Warning: ${warning}\n`);
  return warnings;
}

export async function readNames(session: Session): Promise<readonly string[]> {
  const everything = { spiffeidPattern: '', pathPattern: '' };
  const { policies } = await session.client.listPolicies(everything, session.call);
  return policies.map(({ name }) => name);
}

/** The policy that this name and tenant mean for whoever asks; undefined for none. */
export async function findPolicy(
  session: Session,
  { name, tenant }: { readonly name: string; readonly tenant?: string | undefined },
): Promise<OutputOf<NexusTable['getPolicy']> | undefined> {
  try {
    return await session.client.getPolicy({ id: name, ...toTenant(tenant) }, session.call);
  } catch (thrown) {
    if (toSpikeError(thrown).code === 'api_not_found') return undefined;
    throw thrown;
  }
}

function toTenant(tenant: string | undefined): { readonly tenant?: string } {
  return tenant === undefined ? {} : { tenant };
}

function describeTenant({ tenant }: { readonly tenant?: string }): string {
  return tenant === undefined ? '' : `Tenant: ${tenant}\n`;
}

function required(name: string | undefined): string {
  if (name !== undefined && name !== '') return name;
  throw new SpikeError('data_invalid_input', 'name the policy, as an argument or with --name');
}
