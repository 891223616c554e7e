import { permissions, type Permission } from '../policy/permission.ts';
import type { PolicyRecord } from '../policy/policy.ts';
import { damaged, decodeRecord, encodeRecord, readNumber, readText } from './record.ts';

export function encodePolicy(policy: PolicyRecord): Uint8Array {
  return encodeRecord({
    tenant: policy.tenant,
    name: policy.name,
    spiffePattern: policy.spiffePattern,
    pathPattern: policy.pathPattern,
    permissions: policy.permissions,
    createdAt: policy.createdAt,
    updatedAt: policy.updatedAt,
  });
}

/** Throws `store_integrity`. */
export function decodePolicy(bytes: Uint8Array): PolicyRecord {
  const record = decodeRecord(bytes);
  return {
    tenant: readText(record, 'tenant'),
    name: readText(record, 'name'),
    spiffePattern: readText(record, 'spiffePattern'),
    pathPattern: readText(record, 'pathPattern'),
    permissions: readPermissions(record['permissions']),
    createdAt: readNumber(record, 'createdAt'),
    updatedAt: readNumber(record, 'updatedAt'),
  };
}

function readPermissions(value: unknown): readonly Permission[] {
  if (!Array.isArray(value)) throw damaged('a policy has no permissions');
  return value.map((text: unknown) => {
    const found = permissions.find((permission) => permission === text);
    // A permission of a later release must not be dropped by a write of this one.
    if (found === undefined) throw damaged('a policy has a permission that this release does not know');
    return found;
  });
}
