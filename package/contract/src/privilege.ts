/** What an administrator is (admin access is the second layer, behind a superuser SVID). */
export const administratorRoles = ['super_admin', 'tenant_admin', 'auditor', 'emergency_admin'] as const;
export type AdministratorRole = (typeof administratorRoles)[number];

/** `all`: everywhere. `tenant`: within the administrator's own tenant alone. */
export type Reach = 'all' | 'tenant';

interface PrivilegeRow extends Partial<Readonly<Record<AdministratorRole, Reach>>> {
  /** What it lets an administrator do, for people. */
  readonly says: string;
  /** Changes nothing that lasts, so that a token of the scope `read-only` has it. */
  readonly reads: boolean;
  /** An emergency_admin has it while his break-glass is open. */
  readonly breakglass: boolean;
}

const everybody = { super_admin: 'all', tenant_admin: 'tenant', auditor: 'all' } as const;
const operators = { super_admin: 'all', tenant_admin: 'tenant' } as const;
const reading = { reads: true, breakglass: false } as const;
const changing = { reads: false, breakglass: false } as const;

/**
 * Every privilege, once: one line each. The guards of the routes name them, the pages and the tests read them. What a
 * break-glass gives leaves audit, administrators, approvals and recovery out; whoever mends a system sees how it is.
 */
export const privilegeTable = {
  'secret.read': { says: 'read the values of secrets', ...operators, reads: true, breakglass: true },
  'secret.list': { says: 'see the names of secrets', ...everybody, reads: true, breakglass: true },
  'secret.metadata': {
    says: 'see versions, owners and labels of secrets',
    ...everybody,
    reads: true,
    breakglass: true,
  },
  'secret.write': { says: 'write, delete and destroy secrets', ...operators, reads: false, breakglass: true },
  'policy.read': { says: 'see policies', ...everybody, reads: true, breakglass: true },
  'policy.write': { says: 'make, replace and delete policies', ...operators, reads: false, breakglass: true },
  'cipher.use': {
    says: 'encrypt and decrypt with the cipher keys',
    super_admin: 'all',
    reads: true,
    breakglass: true,
  },
  'status.read': {
    says: 'see the state of the system and its history',
    super_admin: 'all',
    auditor: 'all',
    reads: true,
    breakglass: true,
  },
  'audit.read': { says: 'read the audit, its checkpoints and proofs', ...everybody, ...reading },
  'audit.review': {
    says: 'note that the access of everybody was reviewed',
    super_admin: 'all',
    auditor: 'all',
    ...changing,
  },
  'audit.rotate': { says: 'give the audit a new key', super_admin: 'all', ...changing },
  'alert.read': { says: 'see alerts', super_admin: 'all', auditor: 'all', ...reading },
  'alert.acknowledge': { says: 'acknowledge alerts', super_admin: 'all', ...changing },
  'administrator.read': { says: 'see administrators', ...everybody, ...reading },
  'administrator.write': {
    says: 'make, disable, enable and change administrators',
    ...operators,
    ...changing,
  },
  'token.read': { says: 'see the sessions of others', ...everybody, ...reading },
  'token.revoke': { says: 'end the sessions of others', ...operators, ...changing },
  'breakglass.open': { says: 'ask for access in an emergency', emergency_admin: 'all', ...changing },
  'breakglass.decide': { says: 'approve or cancel a break-glass', super_admin: 'all', ...changing },
  'breakglass.read': {
    says: 'see break-glasses and what was done in them',
    super_admin: 'all',
    auditor: 'all',
    emergency_admin: 'all',
    ...reading,
  },
  'deny.read': { says: 'see which SPIFFE IDs are denied', super_admin: 'all', auditor: 'all', ...reading },
  'deny.write': { says: 'deny SPIFFE IDs, and lift that', super_admin: 'all', ...changing },
  'approval.read': { says: 'see what waits for holders of recovery shares', super_admin: 'all', ...reading },
  'approval.give': { says: 'approve what needs a second person', super_admin: 'all', ...changing },
  'backup.create': { says: 'take a backup', super_admin: 'all', ...changing },
  'backup.read': { says: 'see which backups there are', super_admin: 'all', auditor: 'all', ...reading },
  'backup.restore': { says: 'bring a backup back', super_admin: 'all', ...changing },
  'reset.explain': {
    says: 'see what a factory reset would lose',
    super_admin: 'all',
    auditor: 'all',
    ...reading,
  },
  'reset.print': { says: 'print the script of a factory reset', super_admin: 'all', ...changing },
} as const satisfies Readonly<Record<string, PrivilegeRow>>;

export type Privilege = keyof typeof privilegeTable;

/** How far a role's privilege goes; undefined where it has none. */
export function reachOf(role: AdministratorRole, privilege: Privilege): Reach | undefined {
  const row: PrivilegeRow = privilegeTable[privilege];
  return row[role];
}

/** Whether a token that may only read has it. */
export function isReading(privilege: Privilege): boolean {
  return privilegeTable[privilege].reads;
}

/** Whether an open break-glass gives it. */
export function isBreakglass(privilege: Privilege): boolean {
  return privilegeTable[privilege].breakglass;
}
