import type { ApprovalKind } from './kind.ts';

/** What somebody wants approved. An approval is good for exactly these three, once. */
export interface ApprovalWish {
  readonly kind: ApprovalKind;
  /** What it is about: a name, an instance. */
  readonly target: string;
  /** Who asks: an administrator, or a SPIFFE ID that has no session. */
  readonly by: string;
}

/** Approvals by the holders of a threshold of recovery shares (admin.md H1), for everybody who needs one. */
export interface ApprovalPort {
  /**
   * Returns when it is approved. Throws SpikeError `approval_required` with what the holders have to type, and
   * `limit_exceeded` when too many are open.
   */
  demand(wish: ApprovalWish): void;
  /** The same, and uses the approval up: to be called last before the deed. */
  require(wish: ApprovalWish): void;
  /** Whether it is approved, and then uses the approval up; asks nobody. */
  consume(wish: ApprovalWish): boolean;
}

/** What is noticed here that people have to know. */
export interface EmergencyAlert {
  readonly kind: 'keeper_bad_share' | 'breakglass_opened';
  readonly subject?: string;
  readonly message: string;
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

/** Told at once; never throws. */
export interface EmergencyAlerts {
  raise(alert: EmergencyAlert): void;
}
