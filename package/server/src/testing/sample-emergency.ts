import type { NexusTable } from '@spike/contract';
import type { Samples } from './sample.ts';

const time = '2026-11-22T21:00:00Z';
const spiffeId = 'spiffe://spike.ist/spike/pilot/role/recover';
const id = 'reset-password-abcdefgh234567ij';
const approval = {
  id,
  kind: 'reset-password',
  says: 'give an administrator a one-time password',
  target: 'alice',
  by: spiffeId,
  state: 'waiting',
  threshold: 2,
  count: 3,
  wrong: 0,
  openedAt: time,
  expiresAt: time,
} as const;
const answered = [1];
const recovery = { spiffeId, by: 'admin', expiresAt: time };
const nonce = Uint8Array.from({ length: 32 }, (_, index) => index);
const breakglass = {
  id: 'abcdefgh234567ij',
  administrator: 'eve',
  reason: 'the database is down',
  state: 'closed',
  openedAt: time,
  effectiveAt: time,
  expiresAt: time,
  approvedBy: 'admin',
  endedBy: 'eve',
  endedAt: time,
} as const;

const denial = {
  spiffeId: 'spiffe://spike.ist/app/*',
  reason: 'its key may have leaked',
  by: 'ann',
  since: time,
  until: time,
} as const;

type EmergencyName =
  | 'recoverPassword'
  | 'listApprovals'
  | `${'get' | 'answer'}Approval`
  | 'openRecovery'
  | `${'open' | 'approve' | 'cancel' | 'close' | 'report'}Breakglass`
  | 'listBreakglasses'
  | 'denyIdentity'
  | 'listDenials'
  | 'liftDenial';

/** Of the routes of approvals, of access in an emergency and of denials. */
export const emergencySamples: Pick<Samples<NexusTable>, EmergencyName> = {
  recoverPassword: {
    input: { user: 'alice' },
    output: { user: 'alice', oneTimePassword: 'a one-time password', oneTimeUntil: time },
  },
  listApprovals: { input: {}, output: { approvals: [{ ...approval, answered }], recoveries: [recovery] } },
  getApproval: {
    input: { id },
    output: {
      approval: { ...approval, answered },
      challenge: { instance: 'instance-1', generation: 1, expiresAt: time, nonce },
    },
  },
  answerApproval: {
    input: { id, share: 1, answer: nonce },
    output: { approval: { ...approval, answered }, repeated: false },
  },
  openRecovery: { input: { spiffeId }, output: recovery },
  openBreakglass: { input: { reason: breakglass.reason, ttlSeconds: 3600 }, output: { breakglass } },
  approveBreakglass: { input: { id: breakglass.id }, output: { breakglass } },
  cancelBreakglass: { input: { id: breakglass.id }, output: { breakglass } },
  closeBreakglass: { input: {}, output: { breakglass } },
  listBreakglasses: { input: {}, output: { breakglasses: [breakglass] } },
  denyIdentity: {
    input: { spiffeId: denial.spiffeId, reason: denial.reason, until: time },
    output: { denial, cut: 2 },
  },
  listDenials: { input: {}, output: { denials: [denial] } },
  liftDenial: { input: { spiffeId: denial.spiffeId }, output: { denial, coveredBy: denial.spiffeId } },
  reportBreakglass: {
    input: { id: breakglass.id, from: 0 },
    output: { breakglass, lines: ['{"sequence":1}'], next: 2 },
  },
};
