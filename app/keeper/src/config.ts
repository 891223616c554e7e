import { EnvironmentReader, type Environment, type ListenAddress } from '@spike/config';
import { TrustDomain } from '@spike/spiffe';

export interface KeeperConfig {
  readonly endpoint: string;
  readonly listen: ListenAddress;
  readonly trustRoots: {
    readonly nexus: readonly TrustDomain[];
    readonly keeper: readonly TrustDomain[];
    readonly bootstrap: readonly TrustDomain[];
  };
  /** X25519 besides X25519MLKEM768, for older peers. */
  readonly classical: boolean;
}

/** A Keeper knows nobody: all it is told is where to listen and whose Nexus and Bootstrap it believes. Throws `config_invalid`. */
export function parseConfig(env: Environment): KeeperConfig {
  const read = new EnvironmentReader(env);
  const config: KeeperConfig = {
    endpoint: read.text('SPIFFE_ENDPOINT_SOCKET'),
    listen: read.listen('SPIKE_KEEPER_TLS_PORT'),
    trustRoots: {
      nexus: read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parseDomain),
      keeper: read.trustRoots('SPIKE_TRUST_ROOT_KEEPER', parseDomain),
      bootstrap: read.trustRoots('SPIKE_TRUST_ROOT_BOOTSTRAP', parseDomain),
    },
    classical: read.flag('SPIKE_TLS_CLASSICAL'),
  };
  read.finish();
  return Object.freeze(config);
}

const parseDomain = (text: string): TrustDomain => TrustDomain.parse(text);
