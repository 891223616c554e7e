import type { NexusTable } from '@spike/contract';
import { Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Handlers } from '@spike/server';
import type { AlertPort } from '../alert/port.ts';
import type { BackupBook } from '../backup/note.ts';
import type { Emergency } from '../emergency.ts';
import type { Serving } from '../serving.ts';
import type { Custody } from './custody.ts';

export interface RecoveryHandlerOptions {
  /** Throws where the store is in memory. */
  readonly refuseTransient: () => void;
  readonly custody: Pick<Custody<Serving>, 'recoveryShares' | 'recoveryGeneration' | 'restore'>;
  /** The largest id of a share that a person may bring. */
  readonly maxShareId: number;
  readonly alerts: AlertPort;
  /** These two throw where there is no root key. */
  readonly emergency: () => Pick<Emergency, 'takePass'>;
  readonly notes: () => Pick<BackupBook, 'noteRecovery'>;
}

export function createRecoveryHandlers({
  refuseTransient,
  custody,
  maxShareId,
  alerts,
  emergency,
  notes,
}: RecoveryHandlerOptions): Pick<Handlers<NexusTable>, 'recover' | 'restore'> {
  return {
    recover: async ({ peer }, _input, { draftAudit, check }) => {
      refuseTransient();
      const subject = peer.id.toString();
      using pass = emergency().takePass(subject);
      using made = new DisposableStack();
      const { shares, instance, threshold } = custody.recoveryShares();
      for (const share of shares) made.use(share);
      // Before they go out: a backup is of use from now on, and whoever has them is in the audit.
      await notes().noteRecovery(custody.recoveryGeneration, Date.now(), () => ({
        record: draftAudit(),
        check: () => {
          check?.();
          pass?.check();
        },
      }));
      pass?.use();
      alerts.raise({
        kind: 'recovery_shards_issued',
        subject,
        message: 'recovery shares were handed out; so many as the threshold says are the root key',
        detail: {
          shares: shares.length,
          threshold,
          ...(pass === undefined ? {} : { openedBy: pass.by }),
        },
      });
      const shards = new Map(
        shares.map((share) => [share.id, share.value.expose((value) => Uint8Array.from(value))]),
      );
      return { shards, instance, threshold };
    },
    restore: async (_grant, { id, shard }) => {
      refuseTransient();
      if (id > maxShareId) {
        shard.fill(0);
        throw new SpikeError('api_bad_request', `no share here has an id above ${maxShareId}`);
      }
      return await custody.restore(Share.take(id, shard));
    },
  };
}
