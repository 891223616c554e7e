import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, small } from '../limit.ts';
import { answer, approvalId, nonce } from '../schema/approval.ts';
import { text, time, whole } from '../schema/field.ts';

/*
 * Approvals by the holders of recovery shares (admin.md H1), and the opening of `operator recover` by an administrator
 * (C9). No share is ever in one of these requests.
 */

const path = '/v1/approval';
const mostShares = 255;

const common = { path, need: 'unlocked', limits: small, unknownFields: 'refuse' } as const;

/** Holders need the SVID of recover. */
const holders = { kind: 'role', anyOf: ['recover'] } as const;

const approval = z.object({
  id: z.string(),
  kind: z.string(),
  /** What the kind lets somebody do, for people. */
  says: z.string(),
  target: z.string(),
  by: z.string(),
  state: z.enum(['waiting', 'approved']),
  /** So many different shares have to answer. */
  threshold: whole,
  count: whole,
  /** The numbers of the shares that have. */
  answered: z.array(whole),
  /** Of wrong answers. */
  wrong: whole,
  openedAt: time,
  /** When answers come too late; once it is approved, when it is no more good for anything. */
  expiresAt: time,
});

export const listApprovals = route({
  ...common,
  action: 'list',
  summary: 'List what waits for holders of recovery shares, and who may take the recovery shares out',
  guard: { kind: 'administrator', privilege: 'approval.read', roles: ['recover'] },
  audit: 'approval.list',
  repeatable: true,
  request: z.object({}),
  response: z.object({
    approvals: z.array(approval),
    recoveries: z.array(z.object({ spiffeId: z.string(), by: z.string(), expiresAt: time })),
  }),
  error: errorShape({ approvals: null, recoveries: null }),
});

export const getApproval = route({
  ...common,
  action: 'get',
  summary: 'What a holder of a recovery share is asked to approve, and the challenge to answer',
  guard: holders,
  audit: 'approval.get',
  subject: 'id',
  repeatable: true,
  request: z.object({ id: approvalId }),
  response: z.object({
    approval,
    /** The answer is made of these and of the words of the approval, in the way that `answerChallenge` shows. */
    challenge: z.object({ instance: z.string(), generation: whole, expiresAt: time, nonce }),
  }),
  error: errorShape(),
  fails: ['api_not_found'],
});

export const answerApproval = route({
  ...common,
  action: 'answer',
  summary: 'Approve with a recovery share, which is not sent',
  guard: holders,
  audit: 'approval.answer',
  subject: 'id',
  repeatable: true,
  request: z.object({
    id: approvalId,
    share: whole.min(1, 'is at least 1').max(mostShares, `is at most ${mostShares}`),
    answer,
  }),
  /** `repeated`: this share had answered before. */
  response: z.object({ approval, repeated: z.boolean() }),
  error: errorShape(),
  fails: ['api_not_found', 'shamir_reconstruction_failed'],
});

export const openRecovery = route({
  ...common,
  action: 'recover',
  summary: 'Let one SPIFFE ID take the recovery shares out, once and soon',
  guard: { kind: 'administrator', privilege: 'approval.give' },
  audit: 'approval.recover',
  subject: 'spiffeId',
  repeatable: false,
  request: z.object({ spiffeId: text(2048) }),
  response: z.object({ spiffeId: z.string(), by: z.string(), expiresAt: time }),
  error: errorShape(),
});
