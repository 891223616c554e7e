import type { Action, InputOf, Need, OutputOf, Table } from '@spike/contract';
import type { SpiffeId } from '@spike/spiffe';
import type { AuditDraft, AuditRecord } from './audit-record.ts';
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

/** Says whether requests may be served at all. */
export interface Gate {
  /** The key is here, so records go into the log that is sealed by it, with their paths. */
  readonly unlocked: boolean;
  /** Changes whenever our identity is lost: an answer never leaves under another number than its request came in. */
  readonly identityEpoch: number;
  /** Throws SpikeError `state_not_ready`, `identity_withdrawn`, `store_missing` or `store_integrity`. */
  check(need: Need): void;
}

/** For a server that is ready as soon as it runs. */
export const openGate: Gate = { unlocked: true, identityEpoch: 0, check: () => undefined };

/** Where records go. Both resolve when the record is written, and reject when it cannot be. */
export interface AuditPort {
  /** `committed`: the same record lies in the outbox, in the transaction of what it tells about. */
  append(draft: AuditDraft, options: { readonly committed: boolean }): Promise<void>;
  /** The key is not here: the record has no path. */
  appendUnready(draft: AuditDraft, record: AuditRecord): Promise<void>;
}

/** What a handler gets beside its grant and its input. */
export interface RequestContext {
  /** Random id of this request in audit, log and answer. */
  readonly trail: string;
  /** Fires at the route's deadline and when the caller goes away; a handler that has begun to write need not heed it. */
  readonly signal: AbortSignal;
  /** The record of this request as a success, to be committed together with what it does. The same record is appended afterwards. */
  readonly draftAudit: () => AuditDraft;
}

/** One handler for each route of a table; to leave one out does not compile. */
export type Handlers<T extends Table> = {
  readonly [Name in keyof T]: (
    grant: GrantOf<T[Name]>,
    input: InputOf<T[Name]>,
    context: RequestContext,
  ) => Promise<OutputOf<T[Name]>>;
};
