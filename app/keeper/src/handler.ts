import type { KeeperTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Handlers } from '@spike/server';
import type { Held, Origin, Slots } from './slot.ts';

interface ContributedOrigin {
  readonly instance?: string | undefined;
  readonly generation?: number | undefined;
  readonly id?: number | undefined;
}

export function createHandlers(slots: Slots): Handlers<KeeperTable> {
  return {
    contributeShare: async (grant, { shard, slot, note, ...origin }) => {
      if (grant.permission.role === 'bootstrap') slots.contributeByBootstrap(shard);
      else slots.contributeByNexus(shard, toOrigin(origin), slot ?? 'pending', note);
      return {};
    },
    fetchShare: async () => {
      const held = slots.active ?? slots.pending;
      if (held === undefined) {
        throw new SpikeError(
          'api_bad_request',
          'this Keeper holds no share: Nexus gives it one when it has the key',
        );
      }
      const both = slots.active !== undefined && slots.pending !== undefined;
      return {
        ...describe(held),
        ...(held.note === undefined ? {} : { note: held.note }),
        ...(both ? { pending: describe(slots.pending) } : {}),
      };
    },
    keeperStatus: async () => slots.status(),
  };
}

function describe(held: Held): { shard: Uint8Array } & Partial<Origin> {
  return { shard: held.value.expose((value) => Uint8Array.from(value)), ...held.origin };
}

function toOrigin({ instance, generation, id }: ContributedOrigin): Origin | undefined {
  if (instance === undefined || generation === undefined || id === undefined) return undefined;
  return { instance, generation, id };
}
