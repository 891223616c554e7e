import { isAbsolute, join, relative, resolve } from 'node:path';
import { EnvironmentReader, homeOf, type Environment, type ListenAddress } from '@spike/config';
import { mostSecretBytes } from '@spike/contract';
import { isLoopback } from '@spike/server';
import { TrustDomain } from '@spike/spiffe';
import { isWebhookUrl, parseCommand, type SinkConfig } from './alert/sink/sinks.ts';
import { longestPassword, passwordFloor, type PasswordPolicy } from './admin/password.ts';

export interface NexusConfig {
  readonly endpoint: string;
  readonly listen: ListenAddress;
  readonly health: ListenAddress;
  /** Undefined for none. */
  readonly metrics: ListenAddress | undefined;
  readonly sinks: SinkConfig;
  /** What happens while there is no key is kept here, without names. */
  readonly spoolFile: string;
  readonly learningMs: number;
  readonly store: { readonly kind: 'sqlite'; readonly directory: string } | { readonly kind: 'memory' };
  readonly auditDirectory: string;
  /** Bytes that are kept free for it; 0 for none. */
  readonly auditReserve: number;
  /** How often a checkpoint is signed. */
  readonly auditCheckpointMs: number;
  /** How old and how large the lines of the audit may get; undefined for no limit. */
  readonly auditKeepMs: number | undefined;
  readonly auditKeepBytes: number | undefined;
  readonly anchorFile: string;
  /** Where the launcher keeps recovery shares of this machine. */
  readonly recoveryDirectory: string;
  /** Tells of every factory reset; outside of the store, which one removes. */
  readonly resetJournal: string;
  readonly keeperUrls: readonly URL[];
  readonly shareCount: number;
  readonly threshold: number;
  readonly maxShareId: number;
  readonly rowCacheBytes: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerPeer: number;
  readonly maxPolicies: { readonly all: number; readonly ofTenant: number };
  readonly maxSecretVersions: number;
  readonly maxValueBytes: number;
  readonly maxSecretBytes: number;
  readonly maxCiphertextBytes: number;
  readonly probeMs: number;
  readonly leaseTtlMs: number;
  /** How long it serves without an agent; undefined for as long as the SVID lives. */
  readonly agentGraceMs: number | undefined;
  /** `svid`: a superuser's SVID is enough. */
  readonly adminAuth: 'password' | 'svid';
  readonly initCodeFile: string;
  readonly passwords: PasswordPolicy;
  readonly rememberedPasswords: number;
  readonly sessionIdleMs: number;
  readonly lockout: { readonly failures: number; readonly ms: number };
  /** A break-glass that nobody approves or cancels opens after so long. */
  readonly breakglassDelayMs: number;
  readonly pinnedInstance: string | undefined;
  readonly acceptRollback: string | undefined;
  readonly trustRoots: {
    readonly nexus: readonly TrustDomain[];
    readonly keeper: readonly TrustDomain[];
    readonly bootstrap: readonly TrustDomain[];
    readonly pilot: readonly TrustDomain[];
    readonly lite: readonly TrustDomain[];
  };
}

const dayMs = 86_400_000;

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
  if (!isLoopback(health.host)) read.problem('SPIKE_NEXUS_HEALTH_PORT', 'must be on loopback');
  const metrics =
    read.optional('SPIKE_NEXUS_METRICS_PORT') === undefined
      ? undefined
      : read.listen('SPIKE_NEXUS_METRICS_PORT');
  if (metrics !== undefined && !isLoopback(metrics.host))
    read.problem('SPIKE_NEXUS_METRICS_PORT', 'must be on loopback');
  const config: NexusConfig = {
    endpoint: read.text('SPIFFE_ENDPOINT_SOCKET'),
    listen: read.listen('SPIKE_NEXUS_TLS_PORT'),
    health,
    metrics,
    sinks: readSinks(read),
    spoolFile: join(dataDirectory, 'spool.jsonl'),
    learningMs: read.durationMs('SPIKE_NEXUS_ACCESS_LEARNING', { minMs: 1, maxMs: 90 * dayMs }),
    store,
    auditDirectory,
    auditReserve: read.integer('SPIKE_NEXUS_AUDIT_RESERVE', { min: 0, max: 2 ** 40 }),
    auditCheckpointMs: read.durationMs('SPIKE_NEXUS_AUDIT_CHECKPOINT_INTERVAL', {
      minMs: 50,
      maxMs: 3_600_000,
    }),
    auditKeepMs: orNone(read.integer('SPIKE_NEXUS_AUDIT_KEEP_DAYS', { min: 0, max: 36_500 }) * dayMs),
    auditKeepBytes: orNone(read.integer('SPIKE_NEXUS_AUDIT_KEEP_BYTES', { min: 0, max: 2 ** 50 })),
    anchorFile,
    recoveryDirectory: home.recovery,
    resetJournal: join(dataDirectory, 'reset.journal'),
    keeperUrls,
    shareCount,
    threshold,
    maxShareId: read.integer('SPIKE_NEXUS_SHAMIR_MAX_SHARE_COUNT', { min: 1, max: 1000 }),
    rowCacheBytes: read.integer('SPIKE_NEXUS_ROW_CACHE_BYTES', { min: 0, max: 2 ** 34 }),
    maxConnections: read.integer('SPIKE_NEXUS_MAX_CONNECTIONS', { min: 16, max: 1_000_000 }),
    maxConnectionsPerPeer: read.integer('SPIKE_NEXUS_MAX_CONNECTIONS_PER_PEER', { min: 1, max: 1_000_000 }),
    maxPolicies: {
      all: read.integer('SPIKE_NEXUS_MAX_POLICIES', { min: 1, max: 1_000_000 }),
      ofTenant: read.integer('SPIKE_NEXUS_MAX_TENANT_POLICIES', { min: 1, max: 1_000_000 }),
    },
    maxSecretVersions: read.integer('SPIKE_NEXUS_MAX_SECRET_VERSIONS', { min: 1, max: 1000 }),
    maxValueBytes: read.integer('SPIKE_NEXUS_MAX_VALUE_BYTES', { min: 1, max: mostSecretBytes }),
    maxSecretBytes: read.integer('SPIKE_NEXUS_MAX_SECRET_BYTES', { min: 1, max: mostSecretBytes }),
    maxCiphertextBytes: read.integer('SPIKE_NEXUS_CRYPTO_MAX_CIPHERTEXT_SIZE', { min: 16, max: 524_288 }),
    probeMs: read.durationMs('SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL', { minMs: 50, maxMs: 3_600_000 }),
    leaseTtlMs: read.durationMs('SPIKE_NEXUS_LEASE_TTL', { minMs: 100, maxMs: 3_600_000 }),
    agentGraceMs:
      read.optional('SPIKE_NEXUS_AGENT_GRACE') === undefined
        ? undefined
        : read.durationMs('SPIKE_NEXUS_AGENT_GRACE', { minMs: 0, maxMs: 365 * dayMs }),
    adminAuth: read.choice('SPIKE_NEXUS_ADMIN_AUTH', ['password', 'svid']),
    initCodeFile: resolve(read.text('SPIKE_NEXUS_INIT_CODE_FILE', home.initCodeFile)),
    passwords: {
      minLength: read.integer('SPIKE_NEXUS_PASSWORD_MIN_LENGTH', {
        min: passwordFloor.length,
        max: longestPassword,
      }),
      minScore: read.integer('SPIKE_NEXUS_PASSWORD_MIN_SCORE', { min: passwordFloor.score, max: 4 }),
    },
    rememberedPasswords: read.integer('SPIKE_NEXUS_PASSWORD_HISTORY', { min: 5, max: 24 }),
    sessionIdleMs: read.durationMs('SPIKE_NEXUS_SESSION_IDLE', { minMs: 1_000, maxMs: 43_200_000 }),
    lockout: {
      failures: read.integer('SPIKE_NEXUS_LOGIN_FAILURES', { min: 3, max: 20 }),
      ms: read.durationMs('SPIKE_NEXUS_LOGIN_LOCKOUT', { minMs: 60_000, maxMs: 86_400_000 }),
    },
    breakglassDelayMs: read.durationMs('SPIKE_NEXUS_BREAKGLASS_DELAY', { minMs: 1_000, maxMs: 604_800_000 }),
    pinnedInstance: read.optional('SPIKE_NEXUS_INSTANCE'),
    acceptRollback: read.optional('SPIKE_NEXUS_ACCEPT_ROLLBACK'),
    trustRoots: {
      nexus: read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parseDomain),
      keeper: read.trustRoots('SPIKE_TRUST_ROOT_KEEPER', parseDomain),
      bootstrap: read.trustRoots('SPIKE_TRUST_ROOT_BOOTSTRAP', parseDomain),
      pilot: read.trustRoots('SPIKE_TRUST_ROOT_PILOT', parseDomain),
      lite: read.trustRoots('SPIKE_TRUST_ROOT_LITE_WORKLOAD', parseDomain),
    },
  };
  read.finish();
  return Object.freeze(config);
}

function readSinks(read: EnvironmentReader): SinkConfig {
  const file = read.optional('SPIKE_NEXUS_ALERT_FILE');
  const address = read.optional('SPIKE_NEXUS_ALERT_WEBHOOK_URL');
  const secretFile = read.optional('SPIKE_NEXUS_ALERT_WEBHOOK_SECRET_FILE');
  const program = read.optional('SPIKE_NEXUS_ALERT_COMMAND');
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  if (address !== undefined && (url === undefined || !isWebhookUrl(url)))
    read.problem(
      'SPIKE_NEXUS_ALERT_WEBHOOK_URL',
      'wants an https URL without a password, or http on loopback',
    );
  if (address !== undefined && secretFile === undefined)
    read.problem('SPIKE_NEXUS_ALERT_WEBHOOK_SECRET_FILE', 'is needed: what is posted is signed');
  const command = program === undefined ? undefined : parseCommand(program);
  if (program !== undefined && command === undefined)
    read.problem(
      'SPIKE_NEXUS_ALERT_COMMAND',
      'wants an absolute path, or a JSON list of it and its arguments',
    );
  return {
    file: file === undefined ? undefined : resolve(file),
    webhook:
      url === undefined || secretFile === undefined ? undefined : { url, secretFile: resolve(secretFile) },
    command,
  };
}

/** 0 stands for no limit. */
function orNone(limit: number): number | undefined {
  return limit === 0 ? undefined : limit;
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

const parseDomain = (text: string): TrustDomain => TrustDomain.parse(text);
