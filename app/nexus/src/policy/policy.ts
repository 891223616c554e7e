import { SpikeError } from '@spike/error';
import { Pattern } from './pattern.ts';
import { Programs } from './program.ts';
import { parsePermissions, toMask, type Permission } from './permission.ts';
import { checkReserved, isAnchored } from './reserved.ts';
import { rootTenant } from './tenant.ts';

/** A policy as it is stored and shown. Times are milliseconds since 1970. */
export interface PolicyRecord {
  /** It counts below this prefix of paths alone, whatever its pattern says; `rootTenant` for everywhere. */
  readonly tenant: string;
  readonly name: string;
  readonly spiffePattern: string;
  readonly pathPattern: string;
  readonly permissions: readonly Permission[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What somebody asks a policy to be. */
export interface PolicyInput {
  readonly name: string;
  readonly spiffePattern: string;
  readonly pathPattern: string;
  readonly permissions: readonly string[];
}

/** A policy that can be decided by. */
export interface Policy {
  readonly record: PolicyRecord;
  readonly spiffe: Pattern;
  readonly path: Pattern;
  readonly mask: number;
  /** It may count for a reserved path. */
  readonly anchored: boolean;
}

const nameShape = /^[a-zA-Z0-9\-_ ]{1,250}$/;

/** The rule of wire.md 4 for policy names and for the keys of a secret's values. */
export function isName(text: string): boolean {
  return nameShape.test(text);
}

/** Throws `data_invalid_input`. */
export function parsePolicyName(text: string): string {
  if (isName(text)) return text;
  throw new SpikeError(
    'data_invalid_input',
    'a policy name has 1 to 250 characters, of letters, digits, space, - and _',
  );
}

/** Checks a new policy in the order name, SPIFFE ID pattern, path pattern, permissions. Throws `data_invalid_input`. */
export function parsePolicy(
  input: PolicyInput,
  at: { createdAt: number; updatedAt: number },
  tenant: string = rootTenant,
): Policy {
  const name = parsePolicyName(input.name);
  const programs = new Programs();
  const spiffe = Pattern.parseSpiffe(input.spiffePattern, programs);
  const path = Pattern.parsePath(input.pathPattern, programs);
  const permissions = parsePermissions(input.permissions);
  checkReserved(spiffe, path, programs);
  return compile(
    {
      tenant,
      name,
      spiffePattern: spiffe.source,
      pathPattern: path.source,
      permissions,
      createdAt: at.createdAt,
      updatedAt: at.updatedAt,
    },
    spiffe,
    path,
  );
}

/** A policy that was checked before it was stored. */
export function restorePolicy(record: PolicyRecord): Policy {
  return compile(record, Pattern.restore(record.spiffePattern), Pattern.restore(record.pathPattern));
}

function compile(record: PolicyRecord, spiffe: Pattern, path: Pattern): Policy {
  return {
    record,
    spiffe,
    path,
    mask: toMask(record.permissions),
    anchored: isAnchored(record.spiffePattern),
  };
}
