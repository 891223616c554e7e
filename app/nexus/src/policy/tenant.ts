import { SecretPath, type Tenant } from '@spike/contract';
import { SpikeError } from '@spike/error';

/**
 * Whose a policy is that no tenant has: it counts everywhere. No path can be spelled like it, so no tenant is called
 * like it.
 */
export const rootTenant = '$root';

const systemPaths = 'spike/system';

/** Names are unique within a tenant. */
export interface PolicyId {
  readonly tenant: string;
  readonly name: string;
}

/** What a policy is called among those of all tenants. No name has a slash, so no two are called the same. */
export function labelOf({ tenant, name }: PolicyId): string {
  return tenant === rootTenant ? name : `${tenant}/${name}`;
}

/** The prefix of paths that a tenant is, in its one spelling. Throws `data_invalid_input`. */
export function parseTenant(text: string): string {
  const { text: path } = SecretPath.parse(text);
  if (isWithinTenant(path, systemPaths) || isWithinTenant(systemPaths, path))
    throw new SpikeError('data_invalid_input', 'a tenant neither lies within spike/system nor around it');
  return path;
}

/** Whether a path lies within a tenant, at its prefix or below: segment by segment, whatever a pattern says. */
export function isWithinTenant(path: string, tenant: string): boolean {
  if (tenant === rootTenant) return true;
  return path.startsWith(tenant) && (path.length === tenant.length || path[tenant.length] === '/');
}

/** What of a directory lies within a tenant, both as segments; undefined for nothing. */
export function withinTenant(
  directory: readonly string[],
  tenant: readonly string[],
): readonly string[] | undefined {
  const [outer, inner] = directory.length < tenant.length ? [directory, tenant] : [tenant, directory];
  return outer.every((segment, index) => inner[index] === segment) ? inner : undefined;
}

/**
 * Which tenant's policy somebody means who may act for `granted`: his own, or the one that he names where he may name
 * any. Throws `access_unauthorized` for another's: whether it is there is no matter of his.
 */
export function chooseTenant(granted: Tenant, named: string | undefined): string {
  const asked = named === undefined ? undefined : parseTenant(named);
  if (granted === undefined) return asked ?? rootTenant;
  const own = granted.join('/');
  if (asked === undefined || asked === own) return own;
  throw new SpikeError('access_unauthorized', 'this tenant is not yours');
}
