import { homeOf, parseDuration, parseFlags, type Environment, type Home } from '@spike/config';
import { SpikeError } from '@spike/error';
import { TrustDomain } from '@spike/spiffe';

export interface LauncherConfig {
  readonly home: Home;
  readonly env: Environment;
  readonly trustDomain: TrustDomain;
  readonly keeperCount: number;
  readonly threshold: number;
  /** Nexus's port; 0 takes a free one. */
  readonly port: number;
  readonly recoveryFile: boolean;
  readonly verbose: boolean;
  /** Passed on to the authority as they are, after a check; undefined leaves its defaults. */
  readonly svidLifetime: string | undefined;
  readonly rotateEvery: string | undefined;
  readonly keeperProbe: string | undefined;
  readonly acceptRollback: string | undefined;
}

export const help = `Usage: npm start -- [OPTIONS]   (or: npx spike dev [OPTIONS])

Runs a whole SPIKE on this machine: an identity authority, the Keepers, Nexus on SQLite, bootstrapped at the first start.
Everything it writes lies in SPIKE_HOME (~/.spike unless set).

  --port PORT               where Nexus listens on 127.0.0.1 (default 8553, or a free port when that is taken; 0 = free)
  --keepers N               number of Keepers, which is the number of shares (default 3)
  --threshold T             shares that make the root key (default 2)
  --trust-domain NAME       trust domain of the authority (default spike.ist)
  --svid-lifetime DURATION  how long an identity lives (default 1h)
  --rotate-every DURATION   how often identities are renewed (default half of their life)
  --keeper-probe DURATION   how often Nexus asks after its Keepers (default 5s)
  --no-recovery-file        keep no recovery shares on this machine; after a full stop, people restore with
                            \`spike operator restore\`
  --accept-rollback ID      serve a store that is older than its anchor; its refusal names the ID
  --verbose                 print the log lines of all parts
  --help                    print this
`;

const defaultPort = 8553;

const flags = {
  port: { type: 'string' },
  keepers: { type: 'string' },
  threshold: { type: 'string' },
  'trust-domain': { type: 'string' },
  'svid-lifetime': { type: 'string' },
  'rotate-every': { type: 'string' },
  'keeper-probe': { type: 'string' },
  'no-recovery-file': { type: 'boolean' },
  'accept-rollback': { type: 'string' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Reads the arguments of the launcher. Throws `config_invalid` with what to write instead. */
export function parseConfig(args: readonly string[], env: Environment): LauncherConfig | 'help' {
  const values = parseFlags(args, flags);
  if (values.help === true) return 'help';
  const keeperCount = number('--keepers', values.keepers ?? '3', 1, 16);
  const threshold = number(
    '--threshold',
    values.threshold ?? String(Math.min(2, keeperCount)),
    1,
    keeperCount,
  );
  return {
    home: homeOf(env),
    env,
    trustDomain: parseTrustDomain(values['trust-domain'] ?? 'spike.ist'),
    keeperCount,
    threshold,
    port: number('--port', values.port ?? String(defaultPort), 0, 65_535),
    recoveryFile: values['no-recovery-file'] !== true,
    verbose: values.verbose === true,
    svidLifetime: duration('--svid-lifetime', values['svid-lifetime']),
    rotateEvery: duration('--rotate-every', values['rotate-every']),
    keeperProbe: duration('--keeper-probe', values['keeper-probe']),
    acceptRollback: values['accept-rollback'],
  };
}

function number(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new SpikeError('config_invalid', `${flag} wants a whole number from ${min} to ${max}`);
}

function duration(flag: string, text: string | undefined): string | undefined {
  if (text !== undefined && parseDuration(text) === undefined) {
    throw new SpikeError('config_invalid', `${flag} wants a duration such as 30s or 1h`);
  }
  return text;
}

function parseTrustDomain(text: string): TrustDomain {
  try {
    return TrustDomain.parse(text);
  } catch (error) {
    throw new SpikeError('config_invalid', '--trust-domain wants a name such as spike.ist', { cause: error });
  }
}
