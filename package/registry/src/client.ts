import { isErrorCode, SpikeError } from '@spike/error';
import type { RegistrationEntry } from './entry.ts';
import type { Relationship } from './relationship.ts';
import {
  adminErrorSchema,
  adminPathPrefix,
  adminRoutes,
  type AdminInput,
  type AdminResponse,
  type AdminRoute,
  type AuthorityStatus,
} from './protocol.ts';

// An import would read all that the module exports, and one of its exports loads undici: 6 MB, and time at each start.
const { request } = process.getBuiltinModule('node:http');

export interface AuthorityClientOptions {
  readonly socketPath: string;
  /** For each call, whole; 5 s unless told otherwise. */
  readonly timeoutMs?: number;
}

/** Thousands of entries. */
const maxAnswerBytes = 16 * 1_048_576;

interface NewEntry {
  readonly spiffeId: string;
  /** `TYPE:VALUE` each; none binds the entry to the caller's uid. */
  readonly selectors?: readonly string[];
  readonly federatesWith?: readonly string[];
}

/**
 * Speaks to the admin socket of an embedded authority, one connection for each call. Throws SpikeError with the code
 * that the authority answered, else `net_peer_connection`, `net_timeout` or `access_unauthorized`.
 */
export class AuthorityClient {
  readonly #socketPath: string;
  readonly #timeoutMs: number;

  constructor(options: AuthorityClientOptions) {
    this.#socketPath = options.socketPath;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
  }

  async listEntries(signal?: AbortSignal): Promise<readonly RegistrationEntry[]> {
    return (await this.#call('entry/list', {}, signal)).entries;
  }

  async showEntry(id: string, signal?: AbortSignal): Promise<RegistrationEntry> {
    return (await this.#call('entry/show', { id }, signal)).entry;
  }

  /** `created` is false when the same ID with the same selectors was there before. */
  async createEntry(
    entry: NewEntry,
    signal?: AbortSignal,
  ): Promise<{ readonly entry: RegistrationEntry; readonly created: boolean }> {
    return this.#call(
      'entry/create',
      {
        spiffeId: entry.spiffeId,
        selectors: [...(entry.selectors ?? [])],
        federatesWith: [...(entry.federatesWith ?? [])],
      },
      signal,
    );
  }

  /** In the place of the trust domains that the entry federated with before. */
  async federateEntry(
    id: string,
    federatesWith: readonly string[],
    signal?: AbortSignal,
  ): Promise<RegistrationEntry> {
    return (await this.#call('entry/federate', { id, federatesWith: [...federatesWith] }, signal)).entry;
  }

  /** The SPIFFE bundle of this trust domain, as JSON. */
  async showBundle(signal?: AbortSignal): Promise<{ readonly trustDomain: string; readonly bundle: string }> {
    return this.#call('bundle/show', {}, signal);
  }

  async listRelationships(signal?: AbortSignal): Promise<readonly Relationship[]> {
    return (await this.#call('federation/list', {}, signal)).relationships;
  }

  /** In the place of what was said of that trust domain before. */
  async setRelationship(draft: AdminInput<'federation/set'>, signal?: AbortSignal): Promise<Relationship> {
    return (await this.#call('federation/set', draft, signal)).relationship;
  }

  async deleteRelationship(trustDomain: string, signal?: AbortSignal): Promise<void> {
    await this.#call('federation/delete', { trustDomain }, signal);
  }

  async deleteEntry(id: string, signal?: AbortSignal): Promise<void> {
    await this.#call('entry/delete', { id }, signal);
  }

  /** Of use only to the process that started the authority, for its own children; to be repeated when the authority was started again. */
  async registerPart(
    part: { readonly pid: number; readonly part: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#call('part/register', part, signal);
  }

  /** Of use only to the process that started the authority with `--await-launcher`: from now on the Workload API answers. */
  async reportReady(signal?: AbortSignal): Promise<void> {
    await this.#call('launcher/ready', {}, signal);
  }

  /** Binds this process, and the program that it becomes by execve, to one ID and no other. */
  async bindRun(spiffeId: string, signal?: AbortSignal): Promise<RegistrationEntry> {
    return (await this.#call('run', { spiffeId }, signal)).entry;
  }

  async status(signal?: AbortSignal): Promise<AuthorityStatus> {
    return this.#call('status', {}, signal);
  }

  async #call<R extends AdminRoute>(
    route: R,
    input: AdminInput<R>,
    signal: AbortSignal | undefined,
  ): Promise<AdminResponse<R>> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    signal?.throwIfAborted();
    const answer = await this.#exchange(route, JSON.stringify(input), either).catch((error: unknown) => {
      // The caller's own reason, not an error of ours.
      signal?.throwIfAborted();
      throw error;
    });
    const body = parseJson(answer.body);
    if (answer.status !== 200) throw toError(answer.status, body);
    const parsed = adminRoutes[route].response.safeParse(body);
    if (!parsed.success) throw notOurs('it answers in a form that this release does not know', parsed.error);
    return parsed.data as AdminResponse<R>;
  }

  async #exchange(route: AdminRoute, body: string, signal: AbortSignal): Promise<Answer> {
    try {
      return await exchange(this.#socketPath, adminPathPrefix + route, body, signal);
    } catch (error) {
      throw this.#describe(error, signal);
    }
  }

  #describe(error: unknown, signal: AbortSignal): SpikeError {
    if (error instanceof SpikeError) return error;
    const where = this.#socketPath;
    if (signal.aborted) {
      return new SpikeError('net_timeout', `the authority at ${where} did not answer in time`, {
        cause: error,
      });
    }
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM') {
      return new SpikeError('access_unauthorized', `${where} belongs to another user`, { cause: error });
    }
    return new SpikeError(
      'net_peer_connection',
      `no identity authority answers at ${where}; is the system running (npm start)?`,
      { cause: error },
    );
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function exchange(socketPath: string, path: string, body: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method: 'POST',
        agent: false,
        signal,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxAnswerBytes) response.destroy(notOurs('its answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notOurs('it does not answer in JSON', error);
  }
}

function toError(status: number, body: unknown): SpikeError {
  const parsed = adminErrorSchema.safeParse(body);
  if (!parsed.success || !isErrorCode(parsed.data.code)) return notOurs(`it answered status ${status}`);
  return new SpikeError(parsed.data.code, parsed.data.message);
}

function notOurs(what: string, cause?: unknown): SpikeError {
  return new SpikeError('net_peer_connection', `this is not the admin socket of an authority: ${what}`, {
    cause,
  });
}
