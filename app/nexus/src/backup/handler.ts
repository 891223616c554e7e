import { reachOf, type NexusTable, type OutputOf } from '@spike/contract';
import { Share } from '@spike/crypto';
import { codeTable, SpikeError } from '@spike/error';
import type { Grant, Handlers, RequestContext } from '@spike/server';
import type { Origin } from '../vault/port.ts';
import type { BackupService } from './service.ts';
import type { Owner } from './take.ts';
import { toReport, toTime } from './wire.ts';

/** What the routes of backups need of the rest of Nexus. */
export interface BackupHost {
  /** Throws SpikeError `state_not_ready`. */
  readonly backups: () => BackupService;
  readonly instanceId: () => string;
  readonly maxShareId: number;
  /** Number of the last transaction. */
  readonly revision: () => number;
  /** Row key of the administrator who asks; undefined where there is one layer. */
  readonly administratorKey: (name: string) => Uint8Array | undefined;
  /** Before the first record goes: ends what looks at records in the background. */
  readonly onStart: () => Promise<void>;
  /** The store is another one now: opens it, ends all sessions, tells everybody. The audit goes on. */
  readonly onRestored: (
    restored: { readonly instance: string; readonly digest: string; readonly by: string } | undefined,
  ) => Promise<void>;
}

type Names =
  | 'beginBackup'
  | 'readBackup'
  | 'endBackup'
  | 'cancelBackup'
  | 'listBackups'
  | 'openBackup'
  | 'feedBackup'
  | 'giveBackupShare'
  | 'startRestore'
  | 'finishRestore'
  | 'abortRestore';

/** The routes of `/v1/backup`. */
export function createBackupHandlers(host: BackupHost): Pick<Handlers<NexusTable>, Names> {
  const { backups, instanceId, revision } = host;
  return {
    beginBackup: async (grant, { withoutRecovery }) => {
      const begun = await backups().taker.begin(ownerOf(grant), { withoutRecovery });
      return { ...begun, createdAt: toTime(begun.createdAt) };
    },
    readBackup: async (grant, { id, part }) => await backups().taker.read(ownerOf(grant), id, part),
    endBackup: async (grant, { id, ...file }, context) => {
      await backups().taker.end(ownerOf(grant), id, file, originOf(context));
      return {};
    },
    cancelBackup: async (grant, { id }) => {
      await backups().taker.cancel(ownerOf(grant), id);
      return {};
    },
    listBackups: async () => await describeList(backups(), instanceId()),
    openBackup: async (grant, { purpose, start }) => {
      if (purpose === 'restore') assertRestorer(grant);
      const reading = backups().openReading(ownerOf(grant), purpose, start);
      const { id, header, offset, remaining } = reading;
      return { id, instance: header.instance, offset, threshold: header.recovery.threshold, remaining };
    },
    feedBackup: async (grant, { id, offset, data }, context) => {
      const fed = await backups().feed(ownerOf(grant), id, offset, data, originOf(context));
      const report = fed.report && toReport(fed.report, { instance: instanceId(), revision: revision() });
      return { offset: fed.offset, ...(report === undefined ? {} : { report }) };
    },
    giveBackupShare: async (grant, { id, share, shard }) => {
      if (share > host.maxShareId) {
        shard.fill(0);
        throw new SpikeError('api_bad_request', `no share here has an id above ${host.maxShareId}`);
      }
      return backups().takeShare(ownerOf(grant), id, Share.take(share, shard));
    },
    startRestore: async (grant, { id, replace }, context) => {
      await host.onStart();
      return await backups().start(ownerOf(grant), id, { replace }, originOf(context));
    },
    finishRestore: async (grant, { id }, context) => {
      const owner = ownerOf(grant);
      const { restoring } = backups();
      // The log goes on behind a restore: its reader has to know what came into the store, and from where.
      if (restoring !== undefined) context.about(`${restoring.instance} ${restoring.digest}`);
      const restored = await backups().finish(
        owner,
        id,
        host.administratorKey(owner.administrator),
        originOf(context),
      );
      await host.onRestored({ ...restored, by: owner.administrator || grant.peer.id.toString() });
      return restored;
    },
    abortRestore: async (_grant, _input, context) => {
      const done = await backups().abort(originOf(context));
      if (done) await host.onRestored(undefined);
      return { done };
    },
  };
}

/** The one route serves two purposes, of which the guard lets in the lesser. */
function assertRestorer({ administrator }: Grant): void {
  const isReader = administrator?.readOnly !== false;
  if (isReader || reachOf(administrator.role, 'backup.restore') === undefined)
    throw new SpikeError('access_unauthorized', codeTable.access_unauthorized.says);
}

/** A session of one SPIFFE ID: what one began, nobody else goes on with. */
function ownerOf({ peer, administrator }: Grant): Owner {
  const accessor = administrator?.accessor ?? '';
  return { id: `${peer.id.toString()} ${accessor}`, administrator: administrator?.name ?? '' };
}

function originOf({ check, draftAudit }: RequestContext): () => Origin {
  return () => ({ check, record: draftAudit() });
}

async function describeList(
  service: BackupService,
  instance: string,
): Promise<OutputOf<NexusTable['listBackups']>> {
  const { backups, verifiedAt, recoveryAt, restored, revision } = await service.list();
  const { restoring } = service;
  return {
    instance,
    revision,
    backups: backups.map(({ createdAt, verifiedAt: at, ...note }) => ({
      ...note,
      recipients: [...note.recipients],
      createdAt: toTime(createdAt),
      ...(at === 0 ? {} : { verifiedAt: toTime(at) }),
    })),
    ...(verifiedAt === 0 ? {} : { verifiedAt: toTime(verifiedAt) }),
    ...(recoveryAt === 0 ? {} : { recoveryAt: toTime(recoveryAt) }),
    ...(restored === undefined ? {} : { restored: { ...restored, at: toTime(restored.at) } }),
    ...(restoring === undefined
      ? {}
      : {
          restoring: {
            digest: restoring.digest,
            instance: restoring.instance,
            startedAt: toTime(restoring.startedAt),
            by: restoring.by,
          },
        }),
  };
}
