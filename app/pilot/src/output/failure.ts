import { SpikeError, toSpikeError, type ErrorCode } from '@spike/error';
import { SpiffeError, type SpiffeErrorCode } from '@spike/spiffe';

export interface Failure {
  readonly exit: number;
  /** Lines for standard error: what happened, why, what to do. */
  readonly text: string;
}

const usageExit = 2;

/** What to do next, by exit code, where the error itself does not say it. */
const advice: Readonly<Record<number, string>> = {
  3: 'Look at what there is with `spike secret list` or `spike policy list`.',
  4: 'An administrator can allow it with `spike policy apply`; `spike status` shows who you are.',
  5: 'SPIKE Nexus is not ready. `spike status` says what it waits for.',
  6: 'Read again what is there now, then decide again.',
  7: 'Is the system running? Start it with `npm start`, or set SPIKE_NEXUS_API_URL and SPIFFE_ENDPOINT_SOCKET.',
  9: 'It is done already; nothing was changed.',
};

/** The line that the Go command prints for this error, which scripts look for, then our reason and advice. */
export function describeFailure(thrown: unknown): Failure {
  const error = fromSpiffe(thrown);
  const exit = error.row.exit;
  const lines = [`Error: ${headline(error)}`];
  if (error.message !== '' && !lines[0]?.includes(error.message)) lines.push(`  ${error.message}`);
  if (exit !== usageExit && advice[exit] !== undefined) lines.push(`  ${advice[exit]}`);
  return { exit, text: `${lines.join('\n')}\n` };
}

/** Where the Go command has words of its own, which scripts look for. */
const headlines: Partial<Record<ErrorCode, string>> = {
  net_peer_connection: 'Failed to connect to SPIKE Nexus',
  net_timeout: 'Failed to connect to SPIKE Nexus',
  access_unauthorized: 'unauthorized (access_unauthorized)',
  api_not_found: 'resource not found',
  state_not_ready: 'SPIKE Nexus is not ready',
  api_bad_request: 'invalid request',
  spiffe_no_agent: 'no Workload API answers',
  spiffe_no_identity: 'no identity for this process',
};

function headline(error: SpikeError): string {
  return headlines[error.code] ?? `[${error.code}] ${error.row.says}`;
}

const denials: readonly SpiffeErrorCode[] = ['permission_denied', 'identity_withdrawn'];

function fromSpiffe(thrown: unknown): SpikeError {
  if (!(thrown instanceof SpiffeError)) return toSpikeError(thrown);
  const code = denials.includes(thrown.code) ? 'spiffe_no_identity' : 'spiffe_no_agent';
  return new SpikeError(code, thrown.message, { cause: thrown });
}
