import { nexusTable, type NexusTable } from '@spike/contract';
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

/** O2: shares, one after the other, until Nexus has its root key. */
export async function feedShares(
  place: OperatorPlace,
  shares: readonly RecoveryShare[],
  signal: AbortSignal,
): Promise<void> {
  await withClient(place, signal, async (client) => {
    for (const { id, value } of shares) {
      const { restored } = await client.restore({ id, shard: Uint8Array.from(value) }, { signal });
      if (restored) return;
    }
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
