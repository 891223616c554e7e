import type { NexusTable } from '@spike/contract';
import { codeTable, SpikeError } from '@spike/error';
import type { Handlers } from '@spike/server';
import { asked, sessionOf } from '../admin/handler.ts';
import type { AccessLayer } from '../admin/layer.ts';
import type { Emergency } from '../emergency.ts';
import { saysOf, type ApprovalView } from './book.ts';
import type { RecoveryPass } from './recovery-door.ts';

type ApprovalHandlers = Pick<
  Handlers<NexusTable>,
  'listApprovals' | 'getApproval' | 'answerApproval' | 'openRecovery' | 'recoverPassword'
>;

export interface ApprovalHandlerOptions {
  /** Throws where there is no root key, and none that people could hold shares of. */
  readonly emergency: () => Pick<Emergency, 'approvals' | 'door'>;
  /** Throws where there are no administrators. */
  readonly layer: () => AccessLayer;
}

export function createApprovalHandlers({ emergency, layer }: ApprovalHandlerOptions): ApprovalHandlers {
  return {
    listApprovals: async () => {
      const { approvals, door } = emergency();
      return { approvals: approvals.list().map(toApproval), recoveries: door.list().map(toPass) };
    },
    getApproval: async (_grant, { id }) => {
      const { approval, challenge } = emergency().approvals.get(id);
      const { instance, generation, expiresAt, nonce } = challenge;
      return { approval: toApproval(approval), challenge: { instance, generation, expiresAt, nonce } };
    },
    answerApproval: async (grant, { id, share, answer }) => {
      const spiffeId = grant.peer.id.toString();
      const { approval, repeated } = emergency().approvals.answer({ id, share, answer, spiffeId });
      return { approval: toApproval(approval), repeated };
    },
    openRecovery: async (grant, { spiffeId }, { check }) => {
      const { name } = sessionOf(grant);
      layer();
      check();
      return toPass(emergency().door.open(spiffeId, name));
    },
    recoverPassword: async (grant, { user }, context) => {
      const { approvals } = emergency();
      const { administrators, initialisation } = layer();
      if (initialisation.done === undefined)
        throw new SpikeError('state_not_initialized', codeTable.state_not_initialized.says);
      // First of all: holders are not asked for somebody who is not there.
      await administrators.checkRecoverable(user);
      const wish = { kind: 'reset-password', target: user, by: grant.peer.id.toString() } as const;
      approvals.demand(wish);
      // Used up when the store gets it: else whoever fills the queue of hashes would use up what the holders approved.
      // Asked again where another change of the same transaction had to be left out.
      let isUsed = false;
      const check = (): void => {
        context.check();
        if (!isUsed) approvals.require(wish);
        isUsed = true;
      };
      const { administrator, oneTimePassword } = await administrators.recoverPassword(
        user,
        asked(grant, { ...context, check }),
      );
      return { user, oneTimePassword, oneTimeUntil: toTime(administrator.oneTimeUntil ?? 0) };
    },
  };
}

function toApproval({ answered, openedAt, expiresAt, ...view }: ApprovalView) {
  return {
    ...view,
    says: saysOf(view),
    answered: [...answered],
    openedAt: toTime(openedAt),
    expiresAt: toTime(expiresAt),
  };
}

function toPass({ expiresAt, ...pass }: RecoveryPass) {
  return { ...pass, expiresAt: toTime(expiresAt) };
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
