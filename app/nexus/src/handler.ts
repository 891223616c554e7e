import { fromWireValues, toWireValues, type NexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { holdsPrivilege, type Handlers, type RequestContext } from '@spike/server';
import { administratorKey } from './admin/administrator-record.ts';
import { createBackupHandlers } from './backup/handler.ts';
import { describeAlert } from './alert/answer.ts';
import { alertKinds } from './alert/kind.ts';
import type { AlertService } from './alert/service.ts';
import { describeEntry } from './history/answer.ts';
import type { HistoryService } from './history/service.ts';
import { createAdminHandlers } from './admin/handler.ts';
import { createAuditHandlers } from './audit/handler.ts';
import { createResetHandlers } from './reset/handler.ts';
import type { AccessLayer } from './admin/layer.ts';
import { createApprovalHandlers } from './approval/handler.ts';
import { createBreakglassHandlers } from './breakglass/handler.ts';
import { createDenialHandlers } from './denial/handler.ts';
import type { Custody } from './recovery/custody.ts';
import { createRecoveryHandlers } from './recovery/handler.ts';
import { rootTenant } from './policy/tenant.ts';
import { toMetadataAnswer } from './service/secret-answer.ts';
import type { Mutation } from './service/port.ts';
import type { Serving } from './serving.ts';
import type { StatusReport } from './status.ts';

export interface HandlerOptions {
  readonly custody: Custody<Serving>;
  readonly status: StatusReport;
  readonly alerts: AlertService;
  readonly history: HistoryService;
  /** `svid`: a session is needed for nothing. */
  readonly adminAuth: 'password' | 'svid';
  /** Operator routes are for a root key that people can hold; a store in memory has none. */
  readonly transient: boolean;
  /** The largest id of a share that a person may bring. */
  readonly maxShareId: number;
}

/** One line for each route: the contract on the left, the service on the right. */
export function createHandlers({
  custody,
  status,
  alerts,
  history,
  adminAuth,
  transient,
  maxShareId,
}: HandlerOptions): Handlers<NexusTable> {
  const serving = (): Serving => {
    if (custody.opened === undefined) throw new SpikeError('state_not_ready', custody.message);
    return custody.opened;
  };
  const refuseTransient = (): void => {
    if (transient)
      throw new SpikeError('api_bad_request', 'a store in memory has no root key to recover or restore');
  };
  const layer = (): AccessLayer => serving().access ?? refuseSvid();
  return {
    putSecret: async (grant, { path: _path, values, encoding, ...rules }, context) => {
      const options = { ...rules, ...mutation(context) };
      const version = await serving().secrets.put(grant, fromWireValues({ values, encoding }), options);
      return { version };
    },
    getSecret: async (grant, { version }) => {
      const reading = await serving().secrets.get(grant, version);
      const { values: data, ...encoding } = toWireValues(reading.values);
      return { data, version: reading.version, ...encoding };
    },
    deleteSecret: async (grant, { versions }, context) => {
      await serving().secrets.delete(grant, versions, mutation(context));
      return {};
    },
    undeleteSecret: async (grant, { versions }, context) => {
      await serving().secrets.undelete(grant, versions, mutation(context));
      return {};
    },
    destroySecret: async (grant, { versions }, context) => {
      await serving().secrets.destroy(
        grant,
        versions === undefined ? { all: true } : { versions },
        mutation(context),
      );
      return {};
    },
    getMetadata: async (grant, { version }) =>
      toMetadataAnswer(await serving().secrets.metadata(grant, version)),
    setMetadata: async (grant, { path: _path, ...change }, context) => {
      await serving().secrets.setMetadata(grant, change, mutation(context));
      return {};
    },
    listSecrets: async (grant, request, { signal }) => {
      const { keys, cursor } = await serving().secrets.list(grant, request, signal);
      return { keys: [...keys], ...(cursor === undefined ? {} : { cursor }) };
    },
    putPolicy: async (grant, input, context) => {
      const { warnings } = await serving().policies.put(
        grant,
        { ...input, spiffePattern: input.spiffeidPattern },
        mutation(context),
      );
      return warnings.length === 0 ? {} : { warnings: [...warnings] };
    },
    getPolicy: async (grant, { id, tenant }) => {
      const policy = await serving().policies.get(grant, id, { tenant });
      return {
        id: '',
        name: policy.name,
        spiffiedPattern: policy.spiffePattern,
        pathPattern: policy.pathPattern,
        permissions: [...policy.permissions],
        createdAt: new Date(policy.createdAt).toISOString(),
        updatedAt: new Date(policy.updatedAt).toISOString(),
        ...shownTenant(policy),
      };
    },
    deletePolicy: async (grant, { id, tenant }, context) => {
      await serving().policies.delete(grant, id, { ...mutation(context), tenant });
      return {};
    },
    listPolicies: async (grant, { spiffeidPattern, pathPattern }) => {
      const found = await serving().policies.list(grant, { spiffePattern: spiffeidPattern, pathPattern });
      return { policies: found.map((policy) => ({ id: '', name: policy.name, ...shownTenant(policy) })) };
    },
    encrypt: async (grant, { plaintext }) => serving().cipher.encrypt(grant, plaintext),
    decrypt: async (grant, envelope) => ({ plaintext: serving().cipher.decrypt(grant, envelope) }),
    beginBootstrap: async (_grant, { lease }) => custody.beginCeremony(lease),
    verifyBootstrap: async (_grant, { lease, ...proof }, context) => {
      const record = () => context.draftAudit();
      const hash = await custody.verifyBootstrap(proof, lease, record, context.signal);
      return { hash };
    },
    ...createRecoveryHandlers({
      refuseTransient,
      custody,
      maxShareId,
      alerts,
      emergency: () => serving().emergency,
      notes: () => serving().backups.book,
    }),
    ...createBackupHandlers({
      backups: () => serving().backups,
      instanceId: () => serving().instance.instance,
      revision: () => serving().revision,
      maxShareId,
      administratorKey: (name) =>
        name === '' ? undefined : administratorKey(serving().instance.vault, name),
      onStart: () => serving().stopCheck(),
      onRestored: async (restored) => {
        await custody.reopen();
        if (restored === undefined) return;
        alerts.raise({
          kind: 'root_restored',
          subject: restored.instance,
          message: 'a backup was restored with recovery shares of its instance; all sessions have ended',
          detail: { by: restored.by, digest: restored.digest },
        });
      },
    }),
    status: async ({ administrator }, { verify }, { signal }) => {
      const mayRead = holdsPrivilege(administrator, 'status.read');
      const detailed = adminAuth === 'svid' || mayRead;
      return await status.describe({ verify, detailed }, signal);
    },
    listHistory: async (_grant, { limit }) => ({ entries: history.list(limit).map(describeEntry) }),
    listAlerts: async (_grant, { all, limit }) => ({
      alerts: alerts.list({ all, limit }).map(describeAlert),
      open: { ...alerts.countOpen() },
    }),
    getAlert: async (_grant, { id }) => {
      const alert = alerts.get(id);
      const { means, advice } = alertKinds[alert.kind];
      return { alert: describeAlert(alert), means, advice };
    },
    acknowledgeAlert: async ({ peer, administrator }, { id }) => {
      const by = administrator?.name || peer.id.toString();
      return { alert: describeAlert(await alerts.acknowledge(id, { by, at: Date.now() })) };
    },
    ...createResetHandlers(() => serving().reset),
    ...createAdminHandlers(layer, () => serving().checkpointer.key),
    ...createAuditHandlers(serving),
    ...createApprovalHandlers({
      emergency: () => {
        refuseTransient();
        return serving().emergency;
      },
      layer,
    }),
    ...createDenialHandlers(() => serving().denials),
    ...createBreakglassHandlers(() => serving().emergency.breakglass ?? refuseSvid()),
  };
}

function refuseSvid(): never {
  throw new SpikeError(
    'api_bad_request',
    'there are no administrators here: SPIKE_NEXUS_ADMIN_AUTH is svid, so the SVID of a superuser is enough',
  );
}

function shownTenant({ tenant }: { readonly tenant: string }): { readonly tenant?: string } {
  return tenant === rootTenant ? {} : { tenant };
}

function mutation({ draftAudit, signal, check }: RequestContext): Mutation {
  return { record: draftAudit(), signal, check };
}
