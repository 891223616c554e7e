import type { AdministratorRole, NexusTable, OutputOf } from '@spike/contract';
import type { Invocation } from '../invocation.ts';
import type { CreateAdminFlags, RoleFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';

type Administrator = OutputOf<NexusTable['getAdministrator']>['administrator'];
type Issued = OutputOf<NexusTable['createAdministrator']>;

export async function createAdministrator(
  invocation: Invocation,
  name: string,
  { role, tenant, spiffeId }: CreateAdminFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const wanted = {
    name,
    role,
    ...(tenant === undefined ? {} : { tenant }),
    ...(spiffeId === undefined ? {} : { spiffeId }),
  };
  const issued = await session.client.createAdministrator(wanted, session.call);
  await showIssued(invocation, issued, `${issued.administrator.name} is an administrator now: ${role}.`);
  const { sharesId } = issued.administrator;
  if (sharesId && invocation.settings.format === 'human')
    invocation.stderr.write(
      'Warning: others log in from the same SPIFFE ID, so it says little about who it is; bind each to an own one with --spiffe-id.\n',
    );
}

export async function listAdministrators(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { administrators } = await session.client.listAdministrators({}, session.call);
  await show(invocation, {
    human: (paint) => administrators.map((one) => describe(one, paint)).join('\n'),
    value: administrators,
    isPaged: true,
  });
}

export async function showAdministrator(invocation: Invocation, name: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { administrator } = await session.client.getAdministrator({ name }, session.call);
  await show(invocation, { human: (paint) => describe(administrator, paint), value: administrator });
}

export async function disableAdministrator(invocation: Invocation, name: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { administrator } = await session.client.disableAdministrator({ name }, session.call);
  await showDone(invocation, `${name} is disabled, and all sessions of that name have ended.`, administrator);
}

export async function enableAdministrator(invocation: Invocation, name: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { administrator } = await session.client.enableAdministrator({ name }, session.call);
  await showDone(invocation, `${name} is enabled.`, administrator);
}

export async function setRole(
  invocation: Invocation,
  name: string,
  role: AdministratorRole,
  { tenant }: RoleFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const wanted = { name, role, ...(tenant === undefined ? {} : { tenant }) };
  const { administrator } = await session.client.setAdministratorRole(wanted, session.call);
  await showDone(invocation, `${name} is ${role} now, and has to log in again.`, administrator);
}

export async function resetPassword(invocation: Invocation, name: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const issued = await session.client.resetAdministratorPassword({ name }, session.call);
  await showIssued(invocation, issued, `All sessions of ${name} have ended.`);
}

async function showIssued(invocation: Invocation, issued: Issued, sentence: string): Promise<void> {
  const { administrator, oneTimePassword } = issued;
  await show(invocation, {
    human: (paint) =>
      `${sentence}\nOne-time password: ${paint('bold', oneTimePassword)}\n` +
      `It is shown this once, ends at ${administrator.oneTimeUntil ?? ''}, and has to be changed at the first login:\n` +
      `  spike login --user ${administrator.name}\n`,
    value: issued,
  });
}

function describe(one: Administrator, paint: Paint): string {
  const tenant = one.tenant === undefined ? '' : ` of ${toPrintableLine(one.tenant)}`;
  const shared = one.sharesId ? ' (others log in from it, too)' : '';
  const oneTime =
    one.oneTimeUntil === undefined ? '' : `  password  for one time, until ${one.oneTimeUntil}\n`;
  return (
    `${paint('bold', one.name)}  ${one.role}${tenant}${one.state === 'enabled' ? '' : `, ${one.state}`}\n` +
    `  logs in   from ${toPrintableLine(one.spiffeId)}${shared}\n${oneTime}` +
    `  created   ${one.createdAt} by ${one.createdBy}\n`
  );
}
