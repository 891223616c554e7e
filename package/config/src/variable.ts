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
  SPIKE_NEXUS_AUDIT_RESERVE: {
    default: '16777216',
    says: 'bytes kept free for the audit, so that reads are still recorded on a full disk; 0 keeps none',
  },
  SPIKE_NEXUS_AUDIT_CHECKPOINT_INTERVAL: {
    default: '1m',
    says: 'how often Nexus signs a checkpoint of the audit, when there is something new',
  },
  SPIKE_NEXUS_AUDIT_KEEP_DAYS: {
    default: '0',
    says: 'lines of the audit that are older are given up, and their hashes stay; 0 keeps all',
  },
  SPIKE_NEXUS_AUDIT_KEEP_BYTES: {
    default: '0',
    says: 'the oldest lines of the audit are given up while all have more bytes, and their hashes stay; 0 keeps all',
  },
  SPIKE_NEXUS_ANCHOR_FILE: {
    default: '$SPIKE_HOME/nexus/anchor.json',
    says: 'file of the anchor; never inside of the store’s folder',
  },
  SPIKE_NEXUS_INSTANCE: { default: '', says: 'the one instance id that this Nexus may serve' },
  SPIKE_NEXUS_ACCEPT_ROLLBACK: {
    default: '',
    says: 'older store that a person accepts, once: `INSTANCE@REVISION`, or the instance id alone for every revision',
  },
  SPIKE_NEXUS_ADMIN_AUTH: {
    default: 'password',
    says: '`password`: a superuser needs a session besides his SVID; `svid`: the SVID alone is enough, as in the Go original',
  },
  SPIKE_NEXUS_INIT_CODE_FILE: {
    default: '$SPIKE_HOME/nexus/init-code',
    says: 'file that Nexus writes the code to which `spike init` asks for; gone afterwards',
  },
  SPIKE_NEXUS_PASSWORD_MIN_LENGTH: {
    default: '14',
    says: 'characters of an administrator’s password; 14 at least',
  },
  SPIKE_NEXUS_PASSWORD_MIN_SCORE: {
    default: '3',
    says: 'how hard a password is to guess, by zxcvbn: 3 or 4',
  },
  SPIKE_NEXUS_PASSWORD_HISTORY: {
    default: '5',
    says: 'passwords that somebody had before, this one included, which a new one may not be; 5 at least',
  },
  SPIKE_NEXUS_SESSION_IDLE: { default: '15m', says: 'a session that is not used for so long is over' },
  SPIKE_NEXUS_LOGIN_FAILURES: {
    default: '5',
    says: 'failed logins of one administrator from one SPIFFE ID that lock this pair for a while',
  },
  SPIKE_NEXUS_LOGIN_LOCKOUT: { default: '15m', says: 'for how long, and within which time they are counted' },
  SPIKE_NEXUS_BREAKGLASS_DELAY: {
    default: '4h',
    says: 'a break-glass that no other administrator approves or cancels opens after so long',
  },
  SPIKE_NEXUS_SHAMIR_SHARES: { default: '3', says: 'number of Keeper shares' },
  SPIKE_NEXUS_SHAMIR_THRESHOLD: { default: '2', says: 'Keeper shares that make the root key' },
  SPIKE_NEXUS_SHAMIR_MAX_SHARE_COUNT: {
    default: '1000',
    says: 'largest id of a share that `operator restore` takes',
  },
  SPIKE_NEXUS_ROW_CACHE_BYTES: {
    default: '67108864',
    says: 'memory for sealed rows that were read before, roughly',
  },
  SPIKE_NEXUS_MAX_CONNECTIONS: {
    default: '10000',
    says: 'connections that Nexus holds, fewer where the system gives it fewer open files; the longest idle one gives way',
  },
  SPIKE_NEXUS_MAX_CONNECTIONS_PER_PEER: {
    default: '1000',
    says: 'of those, connections of one SPIFFE ID; its longest idle one gives way',
  },
  SPIKE_NEXUS_MAX_POLICIES: {
    default: '20000',
    says: 'policies that there may be; more are not made, and those that are there stay',
  },
  SPIKE_NEXUS_MAX_TENANT_POLICIES: { default: '2000', says: 'of those, policies of one tenant' },
  SPIKE_NEXUS_MAX_SECRET_VERSIONS: { default: '10', says: 'versions that a new secret keeps' },
  SPIKE_NEXUS_MAX_VALUE_BYTES: { default: '65536', says: 'largest value of a secret' },
  SPIKE_NEXUS_MAX_SECRET_BYTES: {
    default: '1048576',
    says: 'largest sum of names and values in one version of a secret; at most 3145728',
  },
  SPIKE_NEXUS_CRYPTO_MAX_CIPHERTEXT_SIZE: {
    default: '65536',
    says: 'bytes of a ciphertext, with the 16 of its tag, that encryption as a service makes and takes',
  },
  SPIKE_NEXUS_METRICS_PORT: {
    default: '',
    says: 'where Nexus answers /metrics for Prometheus, such as 127.0.0.1:8555; loopback only; none unless set',
  },
  SPIKE_NEXUS_ALERT_FILE: {
    default: '',
    says: 'file that alerts and checkpoints are appended to, as JSON lines',
  },
  SPIKE_NEXUS_ALERT_WEBHOOK_URL: {
    default: '',
    says: 'where alerts and checkpoints are posted; https, or http on loopback',
  },
  SPIKE_NEXUS_ALERT_WEBHOOK_SECRET_FILE: {
    default: '',
    says: 'file of mode 0600 with the secret that signs what is posted; at least 16 bytes',
  },
  SPIKE_NEXUS_ALERT_COMMAND: {
    default: '',
    says: 'program that gets alerts and checkpoints on standard input: an absolute path, or a JSON list of it and its arguments',
  },
  SPIKE_NEXUS_ACCESS_LEARNING: {
    default: '24h',
    says: 'how long reads of a SPIFFE ID are only learnt before unusual ones are alerts',
  },
  SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL: { default: '5s', says: 'how often Nexus probes the Keepers' },
  SPIKE_NEXUS_AGENT_GRACE: {
    default: '',
    says: 'how long Nexus serves on while its agent cannot be reached, at most until its SVID ends; until then unless set',
  },
  SPIKE_NEXUS_LEASE_TTL: { default: '30s', says: 'how long a Bootstrap holds its lease without renewing it' },
  SPIKE_KEEPER_TLS_PORT: { default: '127.0.0.1:8443', says: 'where a Keeper listens' },
  SPIKE_BOOTSTRAP_TIMEOUT: { default: '2m', says: 'how long Bootstrap tries in all' },
  SPIKE_TRUST_ROOT: { default: '', says: 'trust domain that the five below fall back to' },
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
  SPIKE_TRUST_ROOT_LITE_WORKLOAD: {
    default: 'spike.ist',
    says: 'comma list of trust domains whose workloads below /spike/workload/role/lite may encrypt and decrypt',
  },
  SPIKE_TLS_CLASSICAL: {
    default: '',
    says: '`1` lets a Keeper speak X25519 besides X25519MLKEM768; shows in `status`',
  },
  SPIKE_TOKEN: {
    default: '',
    says: 'token of an administrator’s session, for automation; people have it in a file, by `spike login`',
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
];
