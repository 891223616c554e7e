import type { NexusTable } from '@spike/contract';
import { Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Handlers } from '@spike/server';
import type { Custody } from './recovery/custody.ts';
import type { Serving } from './serving.ts';
import type { StatusReport } from './status.ts';

export interface HandlerOptions {
  readonly custody: Custody<Serving>;
  readonly status: StatusReport;
  /** Operator routes are for a root key that people can hold; a store in memory has none. */
  readonly transient: boolean;
}

/** One line for each route: the contract on the left, the service on the right. */
export function createHandlers({ custody, status, transient }: HandlerOptions): Handlers<NexusTable> {
  const serving = (): Serving => {
    if (custody.opened === undefined) throw new SpikeError('state_not_ready', custody.message);
    return custody.opened;
  };
  const refuseTransient = (): void => {
    if (transient)
      throw new SpikeError('api_bad_request', 'a store in memory has no root key to recover or restore');
  };
  return {
    putSecret: async (grant, { values }, context) => {
      const version = await serving().secrets.put(grant, values, mutation(context));
      return { version };
    },
    getSecret: async (grant, { version }) => {
      const reading = await serving().secrets.get(grant, version);
      return { data: reading.values, version: reading.version };
    },
    deleteSecret: async (grant, { versions }, context) => {
      await serving().secrets.delete(grant, versions, mutation(context));
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
    getPolicy: async (grant, { id }) => {
      const policy = await serving().policies.get(grant, id);
      return {
        id: '',
        name: policy.name,
        spiffiedPattern: policy.spiffePattern,
        pathPattern: policy.pathPattern,
        permissions: [...policy.permissions],
        createdAt: new Date(policy.createdAt).toISOString(),
        updatedAt: new Date(policy.updatedAt).toISOString(),
      };
    },
    deletePolicy: async (grant, { id }, context) => {
      await serving().policies.delete(grant, id, mutation(context));
      return {};
    },
    listPolicies: async (grant, { spiffeidPattern, pathPattern }) => {
      const found = await serving().policies.list(grant, { spiffePattern: spiffeidPattern, pathPattern });
      return { policies: found.map(({ name }) => ({ id: '', name })) };
    },
    beginBootstrap: async (_grant, { lease }) => custody.beginCeremony(lease),
    verifyBootstrap: async (_grant, proof, context) => {
      const hash = await custody.verifyBootstrap(proof, () => context.draftAudit(), context.signal);
      return { hash };
    },
    recover: async () => {
      refuseTransient();
      const shares = custody.recoveryShares();
      const shards = new Map(
        shares.map((share) => [share.id, share.value.expose((value) => Uint8Array.from(value))]),
      );
      for (const share of shares) share[Symbol.dispose]();
      return { shards };
    },
    restore: async (_grant, { id, shard }) => {
      refuseTransient();
      return await custody.restore(Share.take(id, shard));
    },
    status: async (_grant, { verify }, { signal }) => await status.describe(verify, signal),
  };
}

function mutation({
  draftAudit,
  signal,
}: {
  draftAudit: () => { trail: string; record: string };
  signal: AbortSignal;
}) {
  return { record: draftAudit(), signal };
}
