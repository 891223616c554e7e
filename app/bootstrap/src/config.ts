import { EnvironmentReader, type Environment } from '@spike/config';
import { TrustDomain } from '@spike/spiffe';

export interface BootstrapConfig {
  readonly endpoint: string;
  readonly nexusUrl: URL;
  readonly keeperUrls: readonly URL[];
  readonly threshold: number;
  readonly timeoutMs: number;
  readonly trustRoots: {
    readonly nexus: readonly TrustDomain[];
    readonly keeper: readonly TrustDomain[];
    readonly bootstrap: readonly TrustDomain[];
  };
}

/** Throws `config_invalid` with all problems at once. */
export function parseConfig(env: Environment): BootstrapConfig {
  const read = new EnvironmentReader(env);
  const keeperUrls = read.httpsUrls('SPIKE_NEXUS_KEEPER_PEERS');
  const count = read.integer('SPIKE_NEXUS_SHAMIR_SHARES', { min: 1, max: 255 });
  if (keeperUrls.length !== count) {
    read.problem('SPIKE_NEXUS_KEEPER_PEERS', `wants as many Keepers as SPIKE_NEXUS_SHAMIR_SHARES (${count})`);
  }
  const config: BootstrapConfig = {
    endpoint: read.text('SPIFFE_ENDPOINT_SOCKET'),
    nexusUrl: read.httpsUrl('SPIKE_NEXUS_API_URL'),
    keeperUrls,
    threshold: read.integer('SPIKE_NEXUS_SHAMIR_THRESHOLD', { min: 1, max: count }),
    timeoutMs: read.durationMs('SPIKE_BOOTSTRAP_TIMEOUT', { minMs: 1_000, maxMs: 3_600_000 }),
    trustRoots: {
      nexus: read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parseDomain),
      keeper: read.trustRoots('SPIKE_TRUST_ROOT_KEEPER', parseDomain),
      bootstrap: read.trustRoots('SPIKE_TRUST_ROOT_BOOTSTRAP', parseDomain),
    },
  };
  read.finish();
  return Object.freeze(config);
}

const parseDomain = (text: string): TrustDomain => TrustDomain.parse(text);
