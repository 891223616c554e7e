import { formatDuration } from '@spike/config';
import { SpikeError, toSpikeError, type ErrorCode } from '@spike/error';
import { Interruption } from '../deadline.ts';
import { plain, type Paint } from './color.ts';
import { toJson, toYaml, type Format } from './format.ts';
import { Headlined } from './headline.ts';
import { toPrintable, toPrintableLine } from './text.ts';

export interface Failure {
  readonly exit: number;
  readonly headline: string;
  readonly code: ErrorCode | 'interrupted';
  readonly message: string;
  /** What to do next, where the message does not say it. */
  readonly advice: string | undefined;
  /** Names the request in the audit of Nexus. */
  readonly trail: string | undefined;
}

/** What to do next, where the error itself does not say it. */
const advice: Partial<Record<ErrorCode, string>> = {
  api_not_found: 'Look at what there is with `spike secret list` or `spike policy list`.',
  access_unauthorized:
    'An administrator can allow it with `spike policy apply`; `spike status` shows who you are.',
  state_not_ready:
    'It is starting, waits for its Keepers, or is not initialized; `spike status` says which, and what it waits for.',
  store_missing: '`spike status` says which store is missed.',
  store_integrity: '`spike status` says what is wrong with the store.',
  audit_unavailable: 'Look at the disk that the audit of Nexus lies on, then try again.',
  identity_withdrawn: 'Look at the registration entry of Nexus, then try again.',
  net_peer_connection:
    'Is the system running? Start it with `npm start`, or set SPIKE_NEXUS_API_URL and SPIFFE_ENDPOINT_SOCKET. A Nexus whose registration entry is gone answers nobody.',
  net_timeout: 'Try again; `spike status` says how Nexus is.',
  limit_exceeded: 'Try again in a moment.',
  api_internal_error: 'Look for the trail in the log of Nexus.',
  state_already_initialized: 'It is done already; nothing was changed.',
  session_required: 'Run `spike login`, then the same command again.',
  state_not_initialized: 'Run `spike init`, then the same command again.',
};

function adviceFor({ code, detail }: SpikeError): string | undefined {
  // What Nexus answers has a status; without one it is our own identity.
  if (code === 'identity_withdrawn' && detail['status'] === undefined)
    return 'The registration entry of this process is gone: create it again (`spire-server entry create`, or `spike authority entry create` where SPIKE issues it), and then the same command.';
  const waitMs = detail['retryAfterMs'];
  if (code !== 'limit_exceeded' || typeof waitMs !== 'number') return advice[code];
  return `Try again in ${formatDuration(waitMs)}.`;
}

/** What was thrown, as a person or a program is told of it. */
export function describeFailure(thrown: unknown): Failure {
  if (thrown instanceof Interruption) return describeInterruption(thrown);
  const error = thrown instanceof Headlined ? thrown.cause : fromSpiffe(thrown);
  const trail = error.detail['trail'];
  return {
    exit: error.row.exit,
    headline: thrown instanceof Headlined ? thrown.headline : headline(error),
    code: error.code,
    message: error.message,
    advice: thrown instanceof Headlined ? undefined : adviceFor(error),
    trail: typeof trail === 'string' ? trail : undefined,
  };
}

/**
 * What goes to standard error. For people the line that the Go command prints for this error, which scripts look for,
 * then our reason and advice; for programs one object.
 */
export async function formatFailure(failure: Failure, format: Format, paint: Paint = plain): Promise<string> {
  const { code, message, advice: next, trail, exit } = failure;
  if (format !== 'human') {
    const value = {
      error: {
        code,
        message,
        ...(next === undefined ? {} : { advice: next }),
        ...(trail === undefined ? {} : { trail }),
        exit,
      },
    };
    return format === 'json' ? toJson(value, 2) : await toYaml(value);
  }
  const lines = [`${paint('red', 'Error:')} ${failure.headline}`];
  if (message !== '' && !failure.headline.includes(message))
    lines.push(`  ${toPrintable(message).replaceAll('\n', '\n  ')}`);
  if (next !== undefined) lines.push(`  ${next}`);
  if (trail !== undefined) lines.push(`  The trail in the audit is ${toPrintableLine(trail)}.`);
  return `${lines.join('\n')}\n`;
}

function describeInterruption({ message, exit }: Interruption): Failure {
  return { exit, headline: 'interrupted', code: 'interrupted', message, advice: undefined, trail: undefined };
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

/** Codes of the SPIFFE library, known by its name so that a command which needs no identity need not load it. */
const denials: readonly string[] = ['permission_denied', 'identity_withdrawn'];

function fromSpiffe(thrown: unknown): SpikeError {
  // A system call of ours, such as one on a directory that we may not write; its message holds no more than its path.
  if (thrown instanceof Error && 'syscall' in thrown)
    return new SpikeError('host_refused', thrown.message, { cause: thrown });
  if (!(thrown instanceof Error) || thrown.name !== 'SpiffeError' || !('code' in thrown))
    return toSpikeError(thrown);
  const code = denials.includes(String(thrown.code)) ? 'spiffe_no_identity' : 'spiffe_no_agent';
  return new SpikeError(code, thrown.message, { cause: thrown });
}
