import type { Action, AdministratorRole, InputOf, Need, OutputOf, Table, Tenant } from '@spike/contract';
import type { ErrorCode } from '@spike/error';
import type { SpiffeId } from '@spike/spiffe';
import type { AuditDraft, AuditRecord, Begun, Outcome } from './audit-record.ts';
import type { GrantOf } from './guard/grant.ts';

/** What a program gives to the server that serves it. */

export interface Decision {
  readonly allowed: boolean;
  /** Name of a policy that allows it. */
  readonly policy?: string;
}

/** Answers synchronously and from memory: nothing happens between a decision and its use. */
export interface PolicyDecider {
  allows(peer: SpiffeId, action: Action, path: string): Decision;
  /** Does any policy give this peer the action on any path? */
  allowsAnywhere(peer: SpiffeId, action: Action): Decision;
}

/** For a server whose routes know roles only. */
export const noPolicies: PolicyDecider = {
  allows: () => ({ allowed: false }),
  allowsAnywhere: () => ({ allowed: false }),
};

/** An administrator at work: who, and in which session. */
export interface Administration {
  /** Empty where the SVID alone is enough. */
  readonly name: string;
  readonly role: AdministratorRole;
  /** The paths that a tenant_admin is for; undefined for all. */
  readonly tenant: Tenant;
  /** Names the session in lists and in the audit; it opens nothing. */
  readonly accessor: string;
  /** The token may read only. */
  readonly readOnly: boolean;
  /** A break-glass is open for him. */
  readonly emergency: boolean;
}

/** What a session is asked for by. */
export interface TokenUse {
  readonly token: string | undefined;
  readonly peer: SpiffeId;
  readonly remoteAddress: string;
  readonly trail: string;
}

/** The second layer: whose session a superuser comes with. All methods are synchronous, so nothing comes between them and what they allow. */
export interface SessionPort {
  /**
   * Throws SpikeError `state_not_initialized`, `session_required` and `password_change_required`. A token that was made
   * for another ID is revoked before it is refused. Counts as one use.
   */
  authenticate(use: TokenUse): Administration;
  /** The session that a token names, whether or not it is good, for the audit; undefined for what is no token. */
  accessorOf(token: string): string | undefined;
  /** Throws SpikeError `session_required` when the session has ended since it was admitted. */
  assertStill(administration: Administration): void;
}

/** One layer alone, as in the Go original: a superuser's SVID is a super_admin. For servers without administrators, too. */
export const svidSessions: SessionPort = {
  authenticate: () => ({
    name: '',
    role: 'super_admin',
    tenant: undefined,
    accessor: '',
    readOnly: false,
    emergency: false,
  }),
  accessorOf: () => undefined,
  assertStill: () => undefined,
};

/** Says whether requests may be served at all. */
export interface Gate {
  /** The key is here, so records go into the log that is sealed by it, with their paths. */
  readonly unlocked: boolean;
  /** Changes whenever our identity is lost: an answer never leaves under another number than its request came in. */
  readonly identityEpoch: number;
  /** Throws SpikeError `state_not_ready`, `identity_withdrawn`, `store_missing` or `store_integrity`. */
  check(need: Need): void;
  /** Whether somebody denied this ID: asked for each request, and again before its answer leaves. Synchronous, from memory. */
  denies(peer: SpiffeId): boolean;
}

/** For a server that is ready as soon as it runs. */
export const openGate: Gate = {
  unlocked: true,
  identityEpoch: 0,
  check: () => undefined,
  denies: () => false,
};

/** Where records go. Both resolve when the record is written, and reject when it cannot be. */
export interface AuditPort {
  /**
   * `committed`: the same record lies in the outbox, in the transaction of what it tells about. `action` is what the
   * record calls it; undefined where it was refused, or failed.
   */
  append(
    draft: AuditDraft,
    options: { readonly committed: boolean; readonly action?: string },
  ): Promise<void>;
  /**
   * The request failed after this draft was handed out. Where its transaction was committed all the same, the draft is
   * the record of a change that is made, and is written like one; else nothing is.
   */
  appendIfCommitted(draft: AuditDraft, options: { readonly action: string }): Promise<void>;
  /** The key is not here: the record has no path. */
  appendUnready(draft: AuditDraft, record: AuditRecord): Promise<void>;
}

/** A request that was recorded, for whoever counts. */
export interface Observed {
  /** The route's name in the audit, `unknown` for none. */
  readonly action: string;
  readonly spiffeId: string;
  readonly path: string | undefined;
  /** What else it was about, and under whose session it came. */
  readonly subject: string | undefined;
  readonly administrator: string | undefined;
  readonly outcome: Outcome;
  /** The error's code; undefined when there is none. */
  readonly code: ErrorCode | undefined;
  readonly durationMicros: number;
}

/** What a handler gets beside its grant and its input. */
export interface RequestContext {
  /** Random id of this request in audit, log and answer. */
  readonly trail: string;
  /** Fires at the route's deadline and when the caller goes away; a handler that has begun to write need not heed it. */
  readonly signal: AbortSignal;
  readonly remoteAddress: string;
  /** Throws when the session that this request came under has ended: for the moment in which the store gets the transaction. */
  readonly check: () => void;
  /** What its record names besides the path, where the route's own field may hold what nobody should read. Before `draftAudit`. */
  readonly about: (subject: string) => void;
  /**
   * The record of this request as a success, to be committed together with what it does. The same record is appended
   * afterwards. A request that begins a session came under none: it says which one it begins.
   */
  readonly draftAudit: (begun?: Begun) => AuditDraft;
}

/** One handler for each route of a table; to leave one out does not compile. */
export type Handlers<T extends Table> = {
  readonly [Name in keyof T]: (
    grant: GrantOf<T[Name]>,
    input: InputOf<T[Name]>,
    context: RequestContext,
  ) => Promise<OutputOf<T[Name]>>;
};
