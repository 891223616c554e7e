import { nexusTable, type NexusTable } from '@spike/contract';
import { SpikeError, toSpikeError } from '@spike/error';
import type { RecoveryShare } from '@spike/recovery';
import { authorizeRole, openClient, type Client } from '@spike/sdk';
import { X509Source, type TrustDomain } from '@spike/spiffe';

export interface OperatorPlace {
  /** The identity to act under. */
  readonly spiffeId: string;
  readonly endpoint: string;
  readonly nexusUrl: string;
  readonly trustDomain: TrustDomain;
}

const group = 'X25519MLKEM768';

/** O1: every recovery share of a system that was just bootstrapped. */
export async function exportShares(
  place: OperatorPlace,
  signal: AbortSignal,
): Promise<readonly RecoveryShare[]> {
  return await withClient(place, signal, async (client) => {
    const { shards } = await client.recover({}, { signal });
    return [...shards].map(([id, value]) => ({ id, value: [...value] }));
  });
}

/**
 * O2: shares, one after the other, until Nexus has its root key. One that Nexus does not know is passed over, since the
 * others may be enough. Throws `shamir_reconstruction_failed` and `shamir_not_enough_shards` when they are not.
 */
export async function feedShares(
  place: OperatorPlace,
  shares: readonly RecoveryShare[],
  signal: AbortSignal,
): Promise<void> {
  await withClient(place, signal, async (client) => {
    let refused: SpikeError | undefined;
    for (const { id, value } of shares) {
      try {
        const { restored } = await client.restore({ id, shard: Uint8Array.from(value) }, { signal });
        if (restored) return;
      } catch (error) {
        refused = toSpikeError(error);
        if (refused.code !== 'shamir_reconstruction_failed') throw error;
      }
    }
    if (refused !== undefined) throw refused;
    throw new SpikeError('shamir_not_enough_shards', 'there are fewer of them here than Nexus needs');
  });
}

async function withClient<Result>(
  { spiffeId, endpoint, nexusUrl, trustDomain }: OperatorPlace,
  signal: AbortSignal,
  use: (client: Client<NexusTable>) => Promise<Result>,
): Promise<Result> {
  await using source = await X509Source.open({
    endpoint,
    signal,
    pick: (svids) => svids.find(({ id }) => id.toString() === spiffeId),
  });
  using client = openClient({
    source,
    table: nexusTable,
    url: nexusUrl,
    authorize: authorizeRole('nexus', [trustDomain]),
    groups: [group],
    requireGroup: group,
  });
  return await use(client.call);
}
