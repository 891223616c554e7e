import { homeOf, readContext, type Environment } from '@spike/config';
import { nexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { SpiffeError, TrustDomain, X509Source } from '@spike/spiffe';
import { defaultDeadlineMs, type CallOptions } from './client.ts';
import { authorizeRole, openClient } from './open-client.ts';
import { pickWorkload } from './pick.ts';
import { Spike } from './spike.ts';

export interface ConnectOptions extends CallOptions {
  /** Which of several identities to use. */
  readonly spiffeId?: string;
  /** Where Nexus is; else `SPIKE_NEXUS_API_URL`, else what `npm start` left, else `https://localhost:8553`. */
  readonly url?: string;
  /** Where the Workload API is; else `SPIFFE_ENDPOINT_SOCKET`, else what `npm start` left. */
  readonly endpoint?: string;
  /** The trust domains whose Nexus is believed; else `SPIKE_TRUST_ROOT_NEXUS`, else our own. */
  readonly trustRoots?: readonly string[];
  /** Asks again where that is safe. On unless told. */
  readonly retry?: boolean;
  /** Instead of the process's environment. */
  readonly env?: Environment;
  /** Instead of what `npm start` left in `SPIKE_HOME`. */
  readonly context?: { readonly endpointSocket: string; readonly nexusUrl: string };
}

const defaultUrl = 'https://localhost:8553';

/**
 * Opens SPIKE for this workload: waits for its identity, at most until the deadline, and connects at the first call.
 * Dispose of it to let the process end. Throws SpikeError `spiffe_no_agent`, `spiffe_no_identity`, `config_invalid`.
 * `signal` bounds the opening, and `deadlineMs` is what each call has unless it says otherwise.
 */
export async function connect(options: ConnectOptions = {}): Promise<Spike> {
  // The one place of the SDK that looks at the process around it.
  // oxlint-disable-next-line node/no-process-env
  const env = options.env ?? process.env;
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  const { endpoint, url, trustRoots } = await readPlace(options, env);
  const source = await openSource(endpoint, options.spiffeId, deadlineMs, options.signal);
  const { id } = source.current().svid;
  const client = openClient({
    source,
    table: nexusTable,
    url,
    authorize: authorizeRole('nexus', trustRoots ?? [id.trustDomain]),
    retry: options.retry ?? true,
    deadlineMs,
  });
  return new Spike(client.call, id.toString(), async () => {
    client[Symbol.dispose]();
    await source[Symbol.asyncDispose]();
  });
}

interface Place {
  readonly endpoint: string;
  readonly url: string;
  readonly trustRoots: readonly TrustDomain[] | undefined;
}

async function readPlace(options: ConnectOptions, env: Environment): Promise<Place> {
  const named = {
    endpoint: options.endpoint ?? nonEmpty(env['SPIFFE_ENDPOINT_SOCKET']),
    url: options.url ?? nonEmpty(env['SPIKE_NEXUS_API_URL']),
  };
  const complete = named.endpoint !== undefined && named.url !== undefined;
  const context = options.context ?? (complete ? undefined : await readContext(homeOf(env)));
  const endpoint = named.endpoint ?? context?.endpointSocket;
  const url = named.url ?? context?.nexusUrl ?? defaultUrl;
  if (endpoint === undefined) {
    throw new SpikeError(
      'spiffe_no_agent',
      'there is no SPIFFE agent to ask who we are: set SPIFFE_ENDPOINT_SOCKET, or start SPIKE with npm start',
    );
  }
  if (URL.parse(url)?.protocol !== 'https:')
    throw new SpikeError(
      'config_invalid',
      'the address of Nexus has to be a URL such as https://127.0.0.1:8553',
    );
  return {
    endpoint,
    url,
    trustRoots: parseRoots(options.trustRoots ?? splitList(env['SPIKE_TRUST_ROOT_NEXUS'])),
  };
}

function parseRoots(names: readonly string[] | undefined): readonly TrustDomain[] | undefined {
  try {
    return names?.map((name) => TrustDomain.parse(name));
  } catch (cause) {
    throw new SpikeError('config_invalid', 'a trust root of Nexus is not the name of a trust domain', {
      cause,
    });
  }
}

async function openSource(
  endpoint: string,
  spiffeId: string | undefined,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<X509Source> {
  // The source would end with its signal; ours bounds the opening only.
  const opening = new AbortController();
  const abort = (): void => opening.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await X509Source.open({
      endpoint,
      firstAnswerMs: deadlineMs,
      pick: (svids) => pickWorkload(svids, spiffeId),
      signal: opening.signal,
    });
  } catch (thrown) {
    signal?.throwIfAborted();
    throw explain(thrown, spiffeId);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function explain(cause: unknown, spiffeId: string | undefined): SpikeError {
  const code = cause instanceof SpiffeError ? cause.code : 'internal';
  const message = cause instanceof Error ? cause.message : 'no identity came';
  if (code === 'endpoint_invalid') return new SpikeError('config_invalid', message, { cause });
  if (code === 'identity_ambiguous') return new SpikeError('spiffe_no_identity', message, { cause });
  if (code !== 'permission_denied' && code !== 'identity_withdrawn')
    return new SpikeError('spiffe_no_agent', message, { cause });
  const hint =
    spiffeId === undefined
      ? 'create an entry for it: spike authority entry create --spiffe-id ID'
      : `it asked for ${spiffeId}`;
  return new SpikeError('spiffe_no_identity', `${message}; ${hint}`, { cause });
}

function splitList(text: string | undefined): readonly string[] | undefined {
  const entries = text
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  return entries === undefined || entries.length === 0 ? undefined : entries;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
