import type { AdministratorRole, Tenant } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { AdministratorRecord } from './administrator-record.ts';

/** What an administrator is asked to be. */
export interface Position {
  readonly role: AdministratorRole;
  /** Path prefix; for a tenant_admin, and for nobody else. */
  readonly tenant: string | undefined;
}

/** Who gives a position, or changes somebody who has one. */
export interface Giver {
  readonly role: AdministratorRole;
  readonly tenant: Tenant;
}

const mostAdministrators = 1_000;
/** So that one tenant does not take the places of all others: nobody is ever deleted. */
const mostOfTenant = 100;

/** The roles that are nothing outside of one tenant. */
const tenantRoles: readonly AdministratorRole[] = ['tenant_admin'];

/** Throws SpikeError `data_invalid_input` for a tenant where the role has none, and for none where it needs one. */
export function checkPosition({ role, tenant }: Position): void {
  const wants = tenantRoles.includes(role);
  if (wants === (tenant !== undefined)) return;
  throw new SpikeError(
    'data_invalid_input',
    wants ? `a ${role} is for one tenant: name its path prefix` : `a ${role} has no tenant`,
  );
}

/** Nobody gives or takes what he lacks: a super_admin every position, a tenant_admin those of his tenant, others none. */
export function mayGive(giver: Giver, { role, tenant }: Position): boolean {
  if (giver.role === 'super_admin') return true;
  if (giver.role !== 'tenant_admin' || giver.tenant === undefined) return false;
  return tenantRoles.includes(role) && tenant === giver.tenant.join('/');
}

/** Whether this one can log in and do everything: an unused one-time password may never be used. */
export function isReliable({ role, state, oneTimeUntil }: AdministratorRecord): boolean {
  return role === 'super_admin' && state === 'enabled' && oneTimeUntil === undefined;
}

/** Throws SpikeError `entity_version_conflict` when, without this one, nobody is left who can do everything. */
export function checkLast(all: readonly AdministratorRecord[], leaving: AdministratorRecord): void {
  if (!isReliable(leaving)) return;
  if (all.some((other) => other.name !== leaving.name && isReliable(other))) return;
  throw new SpikeError(
    'entity_version_conflict',
    'this is the last enabled super_admin with a password of their own: make another one first, who has logged in',
  );
}

/** Throws SpikeError `entity_limit_reached` when there is no room for one more. */
export function checkRoom(all: readonly AdministratorRecord[], position: Position): void {
  checkTenantRoom(all, position);
  if (all.length >= mostAdministrators)
    throw new SpikeError('entity_limit_reached', `there are at most ${mostAdministrators} administrators`);
}

/** Throws SpikeError `entity_limit_reached` when the tenant has no room for one more. */
export function checkTenantRoom(all: readonly AdministratorRecord[], { tenant }: Position): void {
  if (tenant === undefined || all.filter((one) => one.tenant === tenant).length < mostOfTenant) return;
  throw new SpikeError(
    'entity_limit_reached',
    `there are at most ${mostOfTenant} administrators of one tenant`,
  );
}
