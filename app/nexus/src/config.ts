import { isAbsolute, join, relative, resolve } from 'node:path';
import { EnvironmentReader, homeOf, type Environment, type ListenAddress } from '@spike/config';
import { TrustDomain } from '@spike/spiffe';

export interface NexusConfig {
  readonly endpoint: string;
  readonly listen: ListenAddress;
  readonly health: ListenAddress;
  readonly store: { readonly kind: 'sqlite'; readonly directory: string } | { readonly kind: 'memory' };
  readonly auditDirectory: string;
  readonly anchorFile: string;
  readonly keeperUrls: readonly URL[];
  readonly shareCount: number;
  readonly threshold: number;
  readonly maxShareId: number;
  readonly maxSecretVersions: number;
  readonly probeMs: number;
  readonly leaseTtlMs: number;
  readonly pinnedInstance: string | undefined;
  readonly acceptRollback: string | undefined;
  readonly trustRoots: {
    readonly nexus: readonly TrustDomain[];
    readonly keeper: readonly TrustDomain[];
    readonly bootstrap: readonly TrustDomain[];
    readonly pilot: readonly TrustDomain[];
  };
}

const loopback: readonly string[] = ['127.0.0.1', '::1', 'localhost'];

/** Everything that Nexus can be told. Throws `config_invalid` with all problems at once. */
export function parseConfig(env: Environment): NexusConfig {
  const read = new EnvironmentReader(env);
  const home = homeOf(env);
  const kind = read.choice('SPIKE_NEXUS_BACKEND_STORE', ['sqlite', 'memory']);
  const keeperUrls = read.httpsUrls('SPIKE_NEXUS_KEEPER_PEERS');
  const shareCount = read.integer('SPIKE_NEXUS_SHAMIR_SHARES', { min: 1, max: 255 });
  const threshold = read.integer('SPIKE_NEXUS_SHAMIR_THRESHOLD', { min: 1, max: shareCount });
  if (kind === 'sqlite' && keeperUrls.length !== shareCount) {
    read.problem(
      'SPIKE_NEXUS_KEEPER_PEERS',
      `wants as many Keepers as SPIKE_NEXUS_SHAMIR_SHARES (${shareCount})`,
    );
  }
  const dataDirectory = resolve(read.text('SPIKE_NEXUS_DATA_DIR', home.nexus));
  const store = kind === 'memory' ? { kind } : { kind, directory: join(dataDirectory, 'data') };
  const auditDirectory = resolve(read.text('SPIKE_NEXUS_AUDIT_DIR', home.audit));
  const anchorFile = resolve(read.text('SPIKE_NEXUS_ANCHOR_FILE', home.anchorFile));
  if (store.kind === 'sqlite') {
    // A reset moves the store's folder away, and what finds an older store must not go with it.
    if (isInside(auditDirectory, store.directory))
      read.problem('SPIKE_NEXUS_AUDIT_DIR', 'must lie outside of the store');
    if (isInside(anchorFile, store.directory))
      read.problem('SPIKE_NEXUS_ANCHOR_FILE', 'must lie outside of the store');
  }
  const health = read.listen('SPIKE_NEXUS_HEALTH_PORT');
  if (!loopback.includes(health.host)) read.problem('SPIKE_NEXUS_HEALTH_PORT', 'must be on loopback');
  const config: NexusConfig = {
    endpoint: read.text('SPIFFE_ENDPOINT_SOCKET'),
    listen: read.listen('SPIKE_NEXUS_TLS_PORT'),
    health,
    store,
    auditDirectory,
    anchorFile,
    keeperUrls,
    shareCount,
    threshold,
    maxShareId: read.integer('SPIKE_NEXUS_SHAMIR_MAX_SHARE_COUNT', { min: 1, max: 1000 }),
    maxSecretVersions: read.integer('SPIKE_NEXUS_MAX_SECRET_VERSIONS', { min: 1, max: 1000 }),
    probeMs: read.durationMs('SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL', { minMs: 50, maxMs: 3_600_000 }),
    leaseTtlMs: read.durationMs('SPIKE_NEXUS_LEASE_TTL', { minMs: 100, maxMs: 3_600_000 }),
    pinnedInstance: read.optional('SPIKE_NEXUS_INSTANCE'),
    acceptRollback: read.optional('SPIKE_NEXUS_ACCEPT_ROLLBACK'),
    trustRoots: {
      nexus: read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parseDomain),
      keeper: read.trustRoots('SPIKE_TRUST_ROOT_KEEPER', parseDomain),
      bootstrap: read.trustRoots('SPIKE_TRUST_ROOT_BOOTSTRAP', parseDomain),
      pilot: read.trustRoots('SPIKE_TRUST_ROOT_PILOT', parseDomain),
    },
  };
  read.finish();
  return Object.freeze(config);
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

const parseDomain = (text: string): TrustDomain => TrustDomain.parse(text);
