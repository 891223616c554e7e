import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { homeOf, parseDuration, parseFlags, type Environment } from '@spike/config';
import { SpikeError } from '@spike/error';
import { TrustDomain } from '@spike/spiffe';

export interface AuthorityConfig {
  /** Holds the key of the authority, its entries and its lock. */
  readonly stateDirectory: string;
  readonly socketPath: string;
  readonly adminSocketPath: string;
  readonly trustDomain: TrustDomain;
  readonly svidLifetimeMs: number;
  readonly rotateEveryMs: number;
  /** Tell nobody who it is until the launcher has said which processes are parts. */
  readonly awaitLauncher: boolean;
  /** Where other trust domains get the bundle of this one. */
  readonly bundleEndpoint: { readonly host: string; readonly port: number } | undefined;
}

export const help = `Usage: spike authority serve [OPTIONS]

The embedded identity authority: an X.509 CA and the SPIFFE Workload API for the processes of one user on one machine.
It does not protect processes of one uid from each other. Use SPIRE where that matters.

  --state DIR               where its key and its entries lie (default: in SPIKE_HOME)
  --socket PATH             the Workload API's socket (default: in SPIKE_HOME)
  --admin-socket PATH       the socket of \`spike authority entry\` and \`run\` (default: in SPIKE_HOME)
  --trust-domain NAME       (default spike.ist)
  --svid-lifetime DURATION  how long an identity lives (default 1h, at least 2s)
  --rotate-every DURATION   how often identities are renewed (default half of their life, at least 1s)
  --bundle-endpoint IP:PORT serve the bundle of this trust domain there, over https_spiffe as /spike/authority
  --await-launcher          answer Unavailable until the process that started this one has registered its parts
  --help                    print this
`;

/** Linux takes 108 bytes and macOS 104, the closing zero included. */
const maxSocketPathBytes = 103;
const hourMs = 3_600_000;
const minLifetimeMs = 2_000;
const minRotationMs = 1_000;
/** The authority lives for ten years; what it issues must not come near that. */
const maxLifetimeMs = 365 * 24 * hourMs;

const flags = {
  state: { type: 'string' },
  socket: { type: 'string' },
  'admin-socket': { type: 'string' },
  'trust-domain': { type: 'string' },
  'svid-lifetime': { type: 'string' },
  'rotate-every': { type: 'string' },
  'bundle-endpoint': { type: 'string' },
  'await-launcher': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Throws `config_invalid` with what to write instead. */
export function parseConfig(args: readonly string[], env: Environment): AuthorityConfig | 'help' {
  const values = parseFlags(args, flags);
  if (values.help === true) return 'help';
  const home = homeOf(env);
  const svidLifetimeMs = duration('--svid-lifetime', values['svid-lifetime'] ?? '1h', minLifetimeMs);
  const rotateEveryMs =
    values['rotate-every'] === undefined
      ? Math.floor(svidLifetimeMs / 2)
      : duration('--rotate-every', values['rotate-every'], minRotationMs);
  if (rotateEveryMs >= svidLifetimeMs) {
    throw invalid('--rotate-every has to be shorter than --svid-lifetime');
  }
  const config = {
    stateDirectory: absolute('--state', values.state ?? home.authority),
    socketPath: socket('--socket', values.socket ?? home.agentSocket),
    adminSocketPath: socket('--admin-socket', values['admin-socket'] ?? home.adminSocket),
    trustDomain: parseTrustDomain(values['trust-domain'] ?? 'spike.ist'),
    svidLifetimeMs,
    rotateEveryMs,
    awaitLauncher: values['await-launcher'] === true,
    bundleEndpoint: parseBundleEndpoint(values['bundle-endpoint']),
  };
  if (config.socketPath === config.adminSocketPath) {
    throw invalid('--socket and --admin-socket have to be two paths: who may ask is not who may change');
  }
  return Object.freeze(config);
}

function duration(flag: string, text: string, minMs: number): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= minMs && ms <= maxLifetimeMs) return ms;
  throw invalid(`${flag} wants a duration from ${minMs / 1000}s to 8760h, such as 30s or 1h`);
}

function absolute(flag: string, path: string): string {
  if (isAbsolute(path) && !path.includes('\0')) return path;
  throw invalid(`${flag} wants an absolute path`);
}

function socket(flag: string, path: string): string {
  if (Buffer.byteLength(absolute(flag, path)) <= maxSocketPathBytes) return path;
  throw invalid(
    `${flag}: the path of a socket has at most ${maxSocketPathBytes} bytes, this one has ${Buffer.byteLength(path)}; ` +
      'use a shorter directory',
  );
}

function parseBundleEndpoint(text: string | undefined): AuthorityConfig['bundleEndpoint'] {
  if (text === undefined) return undefined;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  const family = match?.[1] === undefined ? 4 : 6;
  if (isIP(host) === family && port <= 65_535) return { host, port };
  throw invalid('--bundle-endpoint wants an IP address and a port, such as 127.0.0.1:8443 or [::1]:8443');
}

function parseTrustDomain(text: string): TrustDomain {
  try {
    return TrustDomain.parse(text);
  } catch (error) {
    throw new SpikeError('config_invalid', '--trust-domain wants a name such as spike.ist', { cause: error });
  }
}

function invalid(message: string): SpikeError {
  return new SpikeError('config_invalid', message);
}
