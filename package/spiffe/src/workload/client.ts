import { SpiffeError } from '../error.ts';
import { callMethod, toAbortError, type GrpcTarget } from '../grpc/client.ts';
import type { Method } from '../grpc/method.ts';
import type { Probe } from '../grpc/keepalive.ts';
import type { X509Context } from '../source.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import { decodeX509Bundles, decodeX509Context } from './context.ts';
import { resolveEndpoint } from './endpoint.ts';
import { fetchX509Bundles, fetchX509Svid, securityHeader, type EmptyMessage } from './message.ts';
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
    return this.#fetch(fetchX509Svid, decodeX509Context, signal);
  }

  async fetchX509Bundles(signal: AbortSignal): Promise<X509BundleSet> {
    return this.#fetch(fetchX509Bundles, decodeX509Bundles, signal);
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

  /** Not offered yet: throws SpiffeError `unimplemented`. */
  async fetchJwtSvid(): Promise<never> {
    throw notOffered('JWT-SVIDs');
  }

  /** Not offered yet: throws SpiffeError `unimplemented`. */
  async fetchJwtBundles(): Promise<never> {
    throw notOffered('JWT bundles');
  }

  /** Not offered yet: throws SpiffeError `unimplemented`. */
  async validateJwtSvid(): Promise<never> {
    throw notOffered('JWT-SVIDs');
  }

  async #fetch<R, T>(
    method: Method<EmptyMessage, R>,
    decode: (bytes: Uint8Array) => T,
    signal: AbortSignal,
  ): Promise<T> {
    for await (const message of this.#call(method, 'ping', signal)) return decode(message);
    if (signal.aborted) throw toAbortError(signal);
    throw new SpiffeError('protocol_invalid', 'the Workload API ended the call without an answer');
  }

  #watch<R, T>(
    method: Method<EmptyMessage, R>,
    decode: (bytes: Uint8Array) => T,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, never, undefined> {
    return watchStream((probe) => this.#call(method, probe, signal), decode, this.#timing, signal);
  }

  #call<R>(method: Method<EmptyMessage, R>, probe: Probe, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const headers = { [securityHeader.name]: securityHeader.value };
    return callMethod(this.#target, method, {}, { ...this.#timing, headers, probe }, signal);
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

function notOffered(what: string): SpiffeError {
  return new SpiffeError('unimplemented', `${what} are not offered by this client`);
}
