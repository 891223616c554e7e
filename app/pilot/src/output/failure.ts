import { SpikeError, toSpikeError, type ErrorCode } from '@spike/error';
import { SpiffeError, type SpiffeErrorCode } from '@spike/spiffe';

export interface Failure {
  readonly exit: number;
  /** Lines for standard error: what happened, why, what to do. */
  readonly text: string;
}

/** What to do next, where the error itself does not say it. */
const advice: Partial<Record<ErrorCode, string>> = {
  api_not_found: 'Look at what there is with `spike secret list` or `spike policy list`.',
  access_unauthorized:
    'An administrator can allow it with `spike policy apply`; `spike status` shows who you are.',
  state_not_ready: '`spike status` says what Nexus waits for.',
  store_missing: '`spike status` says which store is missed.',
  store_integrity: '`spike status` says what is wrong with the store.',
  audit_unavailable: 'Look at the disk that the audit of Nexus lies on, then try again.',
  identity_withdrawn: 'Look at the registration entry of Nexus, then try again.',
  net_peer_connection:
    'Is the system running? Start it with `npm start`, or set SPIKE_NEXUS_API_URL and SPIFFE_ENDPOINT_SOCKET.',
  net_timeout: 'Try again; `spike status` says how Nexus is.',
  limit_exceeded: 'Try again in a moment.',
  api_internal_error: 'Look for the trail in the log of Nexus.',
  state_already_initialized: 'It is done already; nothing was changed.',
};

/** The line that the Go command prints for this error, which scripts look for, then our reason and advice. */
export function describeFailure(thrown: unknown): Failure {
  const error = fromSpiffe(thrown);
  const exit = error.row.exit;
  const lines = [`Error: ${headline(error)}`];
  if (error.message !== '' && !lines[0]?.includes(error.message)) lines.push(`  ${error.message}`);
  const next = advice[error.code];
  if (next !== undefined) lines.push(`  ${next}`);
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
  data_invalid_input: 'invalid input provided',
  entity_version_conflict: 'it is not as it was expected to be',
  spiffe_no_agent: 'no Workload API answers',
  spiffe_no_identity: 'no identity for this process',
};

function headline(error: SpikeError): string {
  return headlines[error.code] ?? `[${error.code}] ${error.row.says}`;
}

const denials: readonly SpiffeErrorCode[] = ['permission_denied', 'identity_withdrawn'];

function fromSpiffe(thrown: unknown): SpikeError {
  // A system call of ours, such as one on a directory that we may not write; its message holds no more than its path.
  if (thrown instanceof Error && 'syscall' in thrown)
    return new SpikeError('host_refused', thrown.message, { cause: thrown });
  if (!(thrown instanceof SpiffeError)) return toSpikeError(thrown);
  const code = denials.includes(thrown.code) ? 'spiffe_no_identity' : 'spiffe_no_agent';
  return new SpikeError(code, thrown.message, { cause: thrown });
}
