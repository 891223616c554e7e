/** What can happen to the state of a system, for `spike status --history`. */
export const historyKinds = {
  bootstrapped: 'a root key and an instance were made',
  initialised: 'the first administrator was made',
  unlocked: 'Nexus got its root key from the Keepers',
  restored: 'Nexus got its root key from recovery shares of people',
  withdrawn: 'Nexus lost its identity and dropped its keys',
  refused: 'the store was refused: damaged, foreign, missing or older than the anchor',
  accepted_rollback: 'a person accepted an older store',
  recovery_issued: 'recovery shares were handed out',
  reset_printed: 'the script of the factory reset was printed',
  backup_created: 'a backup was made',
  backup_restored: 'a backup was restored',
  rotated: 'a new term of data keys began',
  rekeyed: 'the root key was replaced',
  audit_key_rotated: 'the audit got a new key',
  administrator_created: 'an administrator was made',
  administrator_changed: 'an administrator was disabled, enabled or given another role',
  password_reset: 'a password was reset',
  breakglass_opened: 'emergency access was asked for, or opened',
  breakglass_closed: 'emergency access was closed or cancelled, or its time was over',
  identity_denied: 'a SPIFFE ID, or all below a path, was denied',
  denial_ended: 'a denial was lifted, or its time was over',
  auth_mode: 'the second layer of administrative access was turned on or off',
} as const satisfies Record<string, string>;

export type HistoryKind = keyof typeof historyKinds;

export type HistoryDetail = Readonly<Record<string, string | number>>;

export interface HistoryPort {
  /** Returns at once and never throws; what is noted before the key is here is kept until it is. */
  note(kind: HistoryKind, detail?: HistoryDetail): void;
}

/** For tests and for parts that run without a history. */
export const noHistory: HistoryPort = { note: () => undefined };
