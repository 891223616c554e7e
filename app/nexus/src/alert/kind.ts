/** `critical`: somebody has to look now. `warning`: today. `info`: it is to be known. */
export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

export interface KindRow {
  readonly severity: Severity;
  /** What has happened. */
  readonly means: string;
  /** What to do now. */
  readonly advice: string;
  /** While an alert of this kind and subject is open it is counted; sinks are told again after this long. */
  readonly remindMinutes: number;
  /** So many subjects of this kind make alerts of their own in one hour; more are counted in one for all. */
  readonly perHour: number;
}

const day = 24 * 60;

/**
 * Every kind of alert, once (admin.md G): `doc/reference/alert.md` is written from this table, and each kind names the
 * test that causes it in `kind.test.ts`.
 */
export const alertKinds = {
  login_failures: {
    severity: 'warning',
    means: 'logins of one administrator or from one SPIFFE ID fail again and again',
    advice:
      'ask the administrator; look with `spike audit search` where the attempts come from; take the registration entry of that SPIFFE ID away',
    remindMinutes: 15,
    perHour: 20,
  },
  account_locked: {
    severity: 'warning',
    means: 'so many logins failed that an administrator is locked out from one SPIFFE ID for a while',
    advice: 'ask the administrator; if it was somebody else, find out who holds that SPIFFE ID',
    remindMinutes: 15,
    perHour: 20,
  },
  token_misuse: {
    severity: 'critical',
    means: 'a session token was shown by another SPIFFE ID than the one that logged in; it is revoked',
    advice:
      'take the token for stolen: change that administrator’s password, look with `spike audit search` what it was used for, take the other SPIFFE ID’s registration entry away',
    remindMinutes: 15,
    perHour: 20,
  },
  initialization_attempt: {
    severity: 'warning',
    means: 'somebody tried to initialise a system that is initialised, or with a wrong init code',
    advice: 'ask whoever holds that SPIFFE ID; where nobody knows of it, take its registration entry away',
    remindMinutes: 15,
    perHour: 10,
  },
  reset_attempt: {
    severity: 'critical',
    means: 'somebody asked for the script of the factory reset',
    advice:
      'ask the administrator whether it was them; if not, revoke all tokens with `spike token revoke --all`',
    remindMinutes: 15,
    perHour: 10,
  },
  password_reset: {
    severity: 'warning',
    means: 'the password of an administrator was reset by the holders of recovery shares or by another one',
    advice: 'ask the administrator whether they asked for it',
    remindMinutes: 15,
    perHour: 10,
  },
  breakglass_opened: {
    severity: 'critical',
    means: 'an emergency administrator opened or asked for emergency access',
    advice:
      'read the reason; cancel it with `spike breakglass cancel`, or read `spike breakglass report` when it is over',
    remindMinutes: 60,
    perHour: 10,
  },
  denial_changed: {
    severity: 'warning',
    means: 'an administrator denied a SPIFFE ID, or lifted that again',
    advice: 'look at `spike deny list`; ask whoever did it, and take it back if nobody knows why',
    remindMinutes: 15,
    perHour: 20,
  },
  policy_widened: {
    severity: 'warning',
    means:
      'a policy lets through more than before: it is new, has a further permission or `super`, or a pattern changed in any other way than by a further literal segment',
    advice: 'look at it with `spike policy get`; take it back if nobody knows of it',
    remindMinutes: 15,
    perHour: 60,
  },
  keeper_quorum_low: {
    severity: 'critical',
    means: 'fewer Keepers hold their share than a restart of Nexus needs',
    advice: 'start the other Keepers; Nexus gives them their shares. Keep recovery shares at hand until then',
    remindMinutes: 60,
    perHour: 10,
  },
  keeper_bad_share: {
    severity: 'critical',
    means: 'a Keeper or a person brought a share that is not the right one',
    advice: 'look at that Keeper’s machine: it was given another share, is broken, or lies',
    remindMinutes: 60,
    perHour: 20,
  },
  recovery_shards_issued: {
    severity: 'critical',
    means: 'recovery shares were handed out; any threshold of them is the root key',
    advice: 'make sure that each share lies with its holder alone',
    remindMinutes: 15,
    perHour: 10,
  },
  root_restored: {
    severity: 'critical',
    means: 'the root key was put together from recovery shares of people',
    advice: 'ask the holders whether they did it; find out why the Keepers could not',
    remindMinutes: 15,
    perHour: 10,
  },
  admin_created: {
    severity: 'warning',
    means: 'an administrator was created, enabled, or given another role',
    advice: 'look at the administrators with `spike admin list`',
    remindMinutes: 15,
    perHour: 20,
  },
  authority_changed: {
    severity: 'warning',
    means: 'the certificates by which a trust domain is believed have changed',
    advice: 'a rotation of the authority does that; where none was due, look at the authority at once',
    remindMinutes: 60,
    perHour: 20,
  },
  clock_step: {
    severity: 'warning',
    means: 'the clock of this machine was set by more than 5 seconds, or the machine slept',
    advice: 'look at its time synchronisation; times in the audit are those of the clock',
    remindMinutes: 60,
    perHour: 10,
  },
  identity_withdrawn: {
    severity: 'critical',
    means: 'Nexus lost its SPIFFE identity and refuses everything',
    advice:
      'if somebody meant it, nothing; else put its registration entry back, and Nexus comes back by itself',
    remindMinutes: 60,
    perHour: 10,
  },
  svid_expiring: {
    severity: 'critical',
    means: 'the identity of Nexus was not renewed in time, or its agent does not answer',
    advice: 'look at the agent; when the identity is over, Nexus forgets its keys and refuses everything',
    remindMinutes: 15,
    perHour: 10,
  },
  audit_chain_broken: {
    severity: 'critical',
    means: 'the audit is shorter than the store and the anchor say, or was changed',
    advice:
      'keep the files as they are, run `spike audit verify`, and compare with a checkpoint that is kept elsewhere',
    remindMinutes: 60,
    perHour: 10,
  },
  audit_sink_failing: {
    severity: 'critical',
    means: 'a place where records, checkpoints or alerts go does not take them',
    advice: 'free or mend the disk, the address or the program that the message names',
    remindMinutes: 60,
    perHour: 10,
  },
  store_integrity: {
    severity: 'critical',
    means: 'the store is damaged, foreign, missing, or older than the anchor',
    advice: 'run `spike status --verify`; stop who else writes there; restore the last backup',
    remindMinutes: 60,
    perHour: 10,
  },
  unusual_access: {
    severity: 'info',
    means: 'a workload read what it never read before, or very many paths in a short time',
    advice: 'look with `spike audit search` at what it read; a new release of a workload does that, too',
    remindMinutes: day,
    perHour: 30,
  },
} as const satisfies Record<string, KindRow>;

export type AlertKind = keyof typeof alertKinds;

export function isAlertKind(value: unknown): value is AlertKind {
  return typeof value === 'string' && Object.hasOwn(alertKinds, value);
}

/** Raised in the turn in which this process is about to go; only the spool keeps them. */
export const urgentKinds: readonly AlertKind[] = ['identity_withdrawn', 'svid_expiring'];
