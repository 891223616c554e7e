import { administratorRoles, type AdministratorRole } from '@spike/contract';
import { damaged, decodeRecord, encodeRecord, isRecord, readNumber, readText } from '../service/record.ts';
import type { Vault } from '../vault/port.ts';
import type { PasswordHash } from './password-hash.ts';

/** The book that holds them. */
export const administratorBook = 'administrator';

/** One administrator as he is stored, sealed. Times are of the clock of sessions, unless they say `wall`. */
export interface AdministratorRecord {
  readonly name: string;
  readonly role: AdministratorRole;
  /** The path prefix that a tenant_admin is for; undefined for every other role. */
  readonly tenant: string | undefined;
  /** He logs in from exactly this SPIFFE ID. */
  readonly spiffeId: string;
  readonly state: 'enabled' | 'disabled';
  readonly password: PasswordHash;
  /** Hashes of his passwords before this one, newest first. */
  readonly earlier: readonly PasswordHash[];
  /** The password is for one time, lasts until then and has to be changed at the first login; undefined for his own. */
  readonly oneTimeUntil: number | undefined;
  /** Goes up with every change that ends his sessions. */
  readonly epoch: number;
  readonly createdAt: number;
  /** Milliseconds since 1970, of the wall clock of then: for people, and for no rule. */
  readonly createdWall: number;
  readonly createdBy: string;
  /** Who last made him a one-time password, and when. */
  readonly issuedBy: string;
  readonly issuedAt: number;
  readonly issuedWall: number;
}

/** Where his record lies under the keys of a vault. */
export function administratorKey(vault: Pick<Vault, 'key'>, name: string): Uint8Array {
  return vault.key('administrator', [administratorBook, name]);
}

export function encodeAdministrator(record: AdministratorRecord): Uint8Array {
  const { tenant, oneTimeUntil, password, earlier, ...rest } = record;
  return encodeRecord({
    ...rest,
    ...(tenant === undefined ? {} : { tenant }),
    ...(oneTimeUntil === undefined ? {} : { oneTimeUntil }),
    password: toStored(password),
    earlier: earlier.map(toStored),
  });
}

/** Throws SpikeError `store_integrity`. */
export function decodeAdministrator(bytes: Uint8Array): AdministratorRecord {
  const record = decodeRecord(bytes);
  const role = administratorRoles.find((one) => one === record['role']);
  if (role === undefined) throw damaged('an administrator has a role that this release does not know');
  const state = record['state'];
  if (state !== 'enabled' && state !== 'disabled') throw damaged('an administrator has no state');
  const { earlier } = record;
  if (!Array.isArray(earlier)) throw damaged('an administrator has no earlier passwords');
  return {
    name: readText(record, 'name'),
    role,
    tenant: record['tenant'] === undefined ? undefined : readText(record, 'tenant'),
    spiffeId: readText(record, 'spiffeId'),
    state,
    password: fromStored(record['password']),
    earlier: earlier.map(fromStored),
    oneTimeUntil: record['oneTimeUntil'] === undefined ? undefined : readNumber(record, 'oneTimeUntil'),
    epoch: readNumber(record, 'epoch'),
    createdAt: readNumber(record, 'createdAt'),
    createdWall: readNumber(record, 'createdWall'),
    createdBy: readText(record, 'createdBy'),
    issuedBy: readText(record, 'issuedBy'),
    issuedAt: readNumber(record, 'issuedAt'),
    issuedWall: readNumber(record, 'issuedWall'),
  };
}

function toStored({ salt, tag, ...cost }: PasswordHash): object {
  return { ...cost, salt: Buffer.from(salt).toString('base64'), tag: Buffer.from(tag).toString('base64') };
}

function fromStored(value: unknown): PasswordHash {
  if (!isRecord(value)) throw damaged('an administrator has no password');
  return {
    memory: readNumber(value, 'memory'),
    passes: readNumber(value, 'passes'),
    lanes: readNumber(value, 'lanes'),
    salt: Uint8Array.from(Buffer.from(readText(value, 'salt'), 'base64')),
    tag: Uint8Array.from(Buffer.from(readText(value, 'tag'), 'base64')),
  };
}
