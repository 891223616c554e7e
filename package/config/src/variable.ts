/**
 * Every environment variable that a part of SPIKE reads, once: `doc/reference/config.md` and the check for misspelt
 * names read this table. Names and defaults are those of the Go original where it has one.
 */
export const variables = {
  SPIFFE_ENDPOINT_SOCKET: {
    default: 'unix:///tmp/spire-agent/public/api.sock',
    says: 'address of the Workload API',
  },
  SPIKE_HOME: { default: '~/.spike', says: 'where the system on this machine keeps everything it writes' },
  SPIKE_NEXUS_API_URL: { default: 'https://localhost:8553', says: 'where clients find Nexus' },
  SPIKE_NEXUS_TLS_PORT: {
    default: '127.0.0.1:8553',
    says: 'where Nexus listens (`:8553` is every interface)',
  },
  SPIKE_NEXUS_HEALTH_PORT: {
    default: '127.0.0.1:8554',
    says: 'where Nexus answers /health/live and /health/ready; loopback only',
  },
  SPIKE_NEXUS_KEEPER_PEERS: {
    default: '',
    says: 'comma list of the URLs of the Keepers; the position is the id of the share',
  },
  SPIKE_NEXUS_BACKEND_STORE: { default: 'sqlite', says: '`sqlite` or `memory`' },
  SPIKE_NEXUS_DATA_DIR: { default: '$SPIKE_HOME/nexus', says: 'the store lies in its folder `data`' },
  SPIKE_NEXUS_AUDIT_DIR: {
    default: '$SPIKE_HOME/nexus/audit',
    says: 'folder of the audit; never inside of the store’s folder',
  },
  SPIKE_NEXUS_ANCHOR_FILE: {
    default: '$SPIKE_HOME/nexus/anchor.json',
    says: 'file of the anchor; never inside of the store’s folder',
  },
  SPIKE_NEXUS_INSTANCE: { default: '', says: 'the one instance id that this Nexus may serve' },
  SPIKE_NEXUS_ACCEPT_ROLLBACK: {
    default: '',
    says: 'instance id of an older store that a person accepts, once',
  },
  SPIKE_NEXUS_SHAMIR_SHARES: { default: '3', says: 'number of Keeper shares' },
  SPIKE_NEXUS_SHAMIR_THRESHOLD: { default: '2', says: 'Keeper shares that make the root key' },
  SPIKE_NEXUS_SHAMIR_MAX_SHARE_COUNT: {
    default: '1000',
    says: 'largest id of a share that `operator restore` takes',
  },
  SPIKE_NEXUS_MAX_SECRET_VERSIONS: { default: '10', says: 'versions that a new secret keeps' },
  SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL: { default: '5s', says: 'how often Nexus probes the Keepers' },
  SPIKE_NEXUS_LEASE_TTL: { default: '30s', says: 'how long a Bootstrap holds its lease without renewing it' },
  SPIKE_KEEPER_TLS_PORT: { default: '127.0.0.1:8443', says: 'where a Keeper listens' },
  SPIKE_BOOTSTRAP_TIMEOUT: { default: '2m', says: 'how long Bootstrap tries in all' },
  SPIKE_TRUST_ROOT: { default: '', says: 'trust domain that the four below fall back to' },
  SPIKE_TRUST_ROOT_NEXUS: {
    default: 'spike.ist',
    says: 'comma list of trust domains whose Nexus is accepted',
  },
  SPIKE_TRUST_ROOT_KEEPER: {
    default: 'spike.ist',
    says: 'comma list of trust domains whose Keepers are accepted',
  },
  SPIKE_TRUST_ROOT_BOOTSTRAP: {
    default: 'spike.ist',
    says: 'comma list of trust domains whose Bootstrap is accepted',
  },
  SPIKE_TRUST_ROOT_PILOT: {
    default: 'spike.ist',
    says: 'comma list of trust domains whose Pilots are accepted',
  },
  SPIKE_TLS_CLASSICAL: {
    default: '',
    says: '`1` lets a Keeper speak X25519 besides X25519MLKEM768; shows in `status`',
  },
  SPIKE_PILOT_RECOVERY_DIR: {
    default: '~/.spike',
    says: '`operator recover` writes into its folder `recover`',
  },
  SPIKE_SYSTEM_LOG_LEVEL: { default: 'INFO', says: 'DEBUG, INFO, WARN or ERROR' },
} as const satisfies Record<string, { readonly default: string; readonly says: string }>;

export type VariableName = keyof typeof variables;

/** Variables of the Go original that are accepted and change nothing here. */
export const ignoredVariables: readonly string[] = [
  'SPIKE_BANNER_ENABLED',
  'SPIKE_BOOTSTRAP_CONFIGMAP_NAME',
  'SPIKE_BOOTSTRAP_FORCE',
  'SPIKE_BOOTSTRAP_INIT_VERIFICATION_TIMEOUT',
  'SPIKE_PILOT_SHOW_MEMORY_WARNING',
  'SPIKE_SPIFFE_SOURCE_TIMEOUT',
  'SPIKE_STACK_TRACES_ON_LOG_FATAL',
  'SPIKE_TRUST_ROOT_LITE_WORKLOAD',
];
