import { keeperTable, longestNote, type KeeperTable } from '@spike/contract';
import { Share } from '@spike/crypto';
import { SpikeError, toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import { authorizeRole, openClient, type Client } from '@spike/sdk';
import { currentOf, type IdentitySource } from '@spike/spiffe';
import type { AlertPort } from '../alert/port.ts';
import type { NexusConfig } from '../config.ts';
import { KeeperSet, type Keeper, type ShareOrigin } from './keeper-set.ts';

/** Shares travel under a key exchange that a recorder with a later quantum computer does not break. */
const shareGroup = 'X25519MLKEM768';
const callMs = 2_500;

export interface OpenedKeepers extends Disposable {
  readonly set: KeeperSet;
}

/** The Keepers of the configuration, each behind a connection pool of its own. */
export function openKeepers(
  config: NexusConfig,
  source: IdentitySource,
  log: Log,
  alerts: AlertPort,
): OpenedKeepers {
  const clients = config.keeperUrls.map((url) =>
    openClient({
      source,
      table: keeperTable,
      url,
      authorize: authorizeRole('keeper', config.trustRoots.keeper),
      groups: [shareGroup],
      requireGroup: shareGroup,
      maxSockets: 2,
      connectMs: callMs,
      deadlineMs: callMs,
    }),
  );
  const keepers = clients.map(({ call }, index) =>
    createKeeper(call, index + 1, config.keeperUrls[index]?.href ?? ''),
  );
  return {
    set: new KeeperSet(keepers, log, alerts, () => currentOf(source) !== undefined),
    [Symbol.dispose]: () => {
      for (const client of clients) client[Symbol.dispose]();
    },
  };
}

export function createKeeper(call: Client<KeeperTable>, id: number, url: string): Keeper {
  return {
    id,
    url,
    async fetch(signal) {
      const answer = await call.fetchShare({}, { signal }).catch(ignore('api_bad_request'));
      if (answer === undefined) return undefined;
      const origin = toOrigin(answer);
      // The share's id is the Keeper's place in the list; a Keeper that says otherwise is not to be believed.
      if (origin !== undefined && origin.id !== id) {
        answer.shard.fill(0);
        throw new SpikeError('shamir_reconstruction_failed', `it says that it holds share ${origin.id}`);
      }
      return { share: Share.take(id, answer.shard), origin, note: toNote(answer.note) };
    },
    async status(signal) {
      return await call.keeperStatus({}, { signal }).catch(ignore('api_bad_request'));
    },
    async contribute(share, { instance, generation, id: shareId }, slot, note, signal) {
      const shard = share.value.expose((value) => Uint8Array.from(value));
      try {
        const noted = note === undefined ? {} : { note };
        await call.contributeShare({ shard, instance, generation, id: shareId, slot, ...noted }, { signal });
      } finally {
        shard.fill(0);
      }
    },
  };
}

function ignore(code: SpikeError['code']): (error: unknown) => undefined {
  return (error) => {
    if (toSpikeError(error).code === code) return undefined;
    throw error;
  };
}

/** What can be no note of ours is one that will not verify. */
function toNote(note: unknown): string | undefined {
  if (note === undefined || note === null) return undefined;
  return typeof note === 'string' && note.length <= longestNote ? note : '';
}

function toOrigin(answer: {
  readonly instance?: string | undefined;
  readonly generation?: number | undefined;
  readonly id?: number | undefined;
}): ShareOrigin | undefined {
  const { instance, generation, id } = answer;
  return instance === undefined || generation === undefined || id === undefined
    ? undefined
    : { instance, generation, id };
}
