import { SpikeError, toSpikeError } from '@spike/error';
import { SpiffeError } from '@spike/spiffe';

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

function headline(error: SpikeError): string {
  switch (error.code) {
    case 'net_peer_connection':
    case 'net_timeout':
      return 'Failed to connect to SPIKE Nexus';
    case 'access_unauthorized':
      return 'unauthorized (access_unauthorized)';
    case 'api_not_found':
      return 'resource not found';
    case 'state_not_ready':
      return 'SPIKE Nexus is not ready';
    case 'api_bad_request':
      return 'invalid request';
    case 'spiffe_no_agent':
      return 'no Workload API answers';
    case 'spiffe_no_identity':
      return 'no identity for this process';
    default:
      return `[${error.code}] ${error.row.says}`;
  }
}

function fromSpiffe(thrown: unknown): SpikeError {
  if (!(thrown instanceof SpiffeError)) return toSpikeError(thrown);
  switch (thrown.code) {
    case 'permission_denied':
    case 'identity_withdrawn':
      return new SpikeError('spiffe_no_identity', thrown.message, { cause: thrown });
    default:
      return new SpikeError('spiffe_no_agent', thrown.message, { cause: thrown });
  }
}
