import { SpiffeError } from '../error.ts';
import { callMethod, toAbortError, type GrpcTarget } from '../grpc/client.ts';
import type { Method } from '../grpc/method.ts';
import type { Probe } from '../grpc/keepalive.ts';
import type { JwtBundleSet } from '../jwt/bundle.ts';
import type { JwtSvid } from '../jwt/svid.ts';
import type { X509Context } from '../source.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import { decodeX509Bundles, decodeX509Context } from './context.ts';
import { resolveEndpoint } from './endpoint.ts';
import {
  checkAudience,
  decodeJwtBundles,
  decodeJwtSvids,
  decodeValidated,
  type JwtSvidQuery,
  type ValidatedToken,
} from './jwt-context.ts';
import {
  fetchJwtBundles,
  fetchJwtSvid,
  fetchX509Bundles,
  fetchX509Svid,
  securityHeader,
  validateJwtSvid,
  type EmptyMessage,
} from './message.ts';
import { defaultWorkloadTiming, type WorkloadTiming } from './timing.ts';
import { watchStream, type WatchEvent } from './watch.ts';

export interface WorkloadClientOptions {
  /** `unix:///path` or `tcp://IP:port`. */
  readonly endpoint?: string | undefined;
  /** Where SPIFFE_ENDPOINT_SOCKET is looked up when there is no `endpoint` (C-1). Nothing else is read from it. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly timing?: Partial<WorkloadTiming>;
}

/**
 * Asks the Workload API. Each call has a connection of its own, which ends with the call, so there is nothing to
 * dispose. Errors are SpiffeErrors; signals end every call with `aborted`, or `deadline_exceeded` for a timeout.
 */
export class WorkloadClient {
  readonly #target: GrpcTarget;
  readonly #timing: WorkloadTiming;

  /** Throws SpiffeError `endpoint_invalid`. */
  constructor(options: WorkloadClientOptions) {
    this.#target = resolveEndpoint(options);
    this.#timing = { ...defaultWorkloadTiming, ...options.timing };
  }

  /** One answer, one attempt: throws what is in the way instead of trying again. */
  async fetchX509Context(signal: AbortSignal): Promise<X509Context> {
    return this.#fetch(fetchX509Svid, {}, decodeX509Context, signal);
  }

  async fetchX509Bundles(signal: AbortSignal): Promise<X509BundleSet> {
    return this.#fetch(fetchX509Bundles, {}, decodeX509Bundles, signal);
  }

  /** Every answer, through whatever happens in between; for those who want to know that too: `watchX509Events`. */
  async *watchX509Context(signal: AbortSignal): AsyncGenerator<X509Context, never, undefined> {
    return yield* onlyReceived(this.watchX509Events(signal));
  }

  async *watchX509Bundles(signal: AbortSignal): AsyncGenerator<X509BundleSet, never, undefined> {
    return yield* onlyReceived(this.#watch(fetchX509Bundles, decodeX509Bundles, signal));
  }

  /** Answers, refusals and losses in their order. Ends only by throwing: see `watchStream`. */
  watchX509Events(signal: AbortSignal): AsyncGenerator<WatchEvent<X509Context>, never, undefined> {
    return this.#watch(fetchX509Svid, decodeX509Context, signal);
  }

  /** A token for each identity, or for the one that is asked for; the first one is the default. */
  async fetchJwtSvids(query: JwtSvidQuery, signal: AbortSignal): Promise<readonly JwtSvid[]> {
    checkAudience(query.audience);
    const request = { audience: query.audience, spiffeId: query.id?.toString() ?? '' };
    return this.#fetch(fetchJwtSvid, request, (bytes) => decodeJwtSvids(bytes, query), signal);
  }

  async fetchJwtBundles(signal: AbortSignal): Promise<JwtBundleSet> {
    return this.#fetch(fetchJwtBundles, {}, decodeJwtBundles, signal);
  }

  async *watchJwtBundles(signal: AbortSignal): AsyncGenerator<JwtBundleSet, never, undefined> {
    return yield* onlyReceived(this.watchJwtBundleEvents(signal));
  }

  /** Like `watchX509Events`. */
  watchJwtBundleEvents(signal: AbortSignal): AsyncGenerator<WatchEvent<JwtBundleSet>, never, undefined> {
    return this.#watch(fetchJwtBundles, decodeJwtBundles, signal);
  }

  /** Asks the agent whether a token is good; with the bundles at hand, `verifyJwtSvid` needs no agent. */
  async validateJwtSvid(
    token: { readonly token: string; readonly audience: string },
    signal: AbortSignal,
  ): Promise<ValidatedToken> {
    checkAudience([token.audience]);
    const request = { audience: token.audience, svid: token.token };
    return this.#fetch(validateJwtSvid, request, decodeValidated, signal);
  }

  async #fetch<Q, R, T>(
    method: Method<Q, R>,
    request: Q,
    decode: (bytes: Uint8Array) => T,
    signal: AbortSignal,
  ): Promise<T> {
    for await (const message of this.#call(method, request, 'ping', signal)) return decode(message);
    if (signal.aborted) throw toAbortError(signal);
    throw new SpiffeError('protocol_invalid', 'the Workload API ended the call without an answer');
  }

  #watch<R, T>(
    method: Method<EmptyMessage, R>,
    decode: (bytes: Uint8Array) => T,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, never, undefined> {
    return watchStream((probe) => this.#call(method, {}, probe, signal), decode, this.#timing, signal);
  }

  #call<Q, R>(
    method: Method<Q, R>,
    request: Q,
    probe: Probe,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const headers = { [securityHeader.name]: securityHeader.value };
    return callMethod(this.#target, method, request, { ...this.#timing, headers, probe }, signal);
  }
}

async function* onlyReceived<T>(
  events: AsyncGenerator<WatchEvent<T>, never, undefined>,
): AsyncGenerator<T, never, undefined> {
  for (;;) {
    const { value: event } = await events.next();
    if (event.kind === 'received') yield event.value;
  }
}
