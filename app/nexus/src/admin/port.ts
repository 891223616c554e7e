import type { AuditDraft, Origin } from '../vault/port.ts';

/** Who asks for something that changes the second layer, and how the change is recorded. */
export interface Asked extends Origin {
  readonly spiffeId: string;
  readonly remoteAddress: string;
  readonly signal: AbortSignal;
}

/** Who asks for a session. The record is made when the session has an accessor, which it names. */
export interface Entering extends Omit<Asked, 'record'> {
  readonly draft?: (begun: { readonly administrator: string; readonly accessor: string }) => AuditDraft;
}

/** What the second layer notices that people have to know. */
export interface AccessAlert {
  readonly kind:
    | 'login_failures'
    | 'account_locked'
    | 'token_misuse'
    | 'initialization_attempt'
    | 'admin_created'
    | 'password_reset'
    | 'clock_step';
  readonly subject?: string;
  readonly message: string;
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

/** Told at once; never throws. */
export interface AccessAlerts {
  raise(alert: AccessAlert): void;
}
