import { SpiffeError } from '../error.ts';
import { toAbortError } from '../grpc/client.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import type { JwtBundleSet } from '../jwt/bundle.ts';
import type { JwtSvid } from '../jwt/svid.ts';
import { verifyJwtSvid, type TokenExpectation, type VerifiedToken } from '../jwt/verify.ts';
import type { IdentityState } from '../source.ts';
import { WorkloadClient, type WorkloadClientOptions } from './client.ts';
import { JwtCache } from './jwt-cache.ts';
import { checkAudience, type JwtSvidQuery } from './jwt-context.ts';
import type { WatchEvent } from './watch.ts';
import type { X509Source } from './x509-source.ts';
import { awaitFirst } from './first-answer.ts';

const defaultFetchMs = 10_000;
/** Failures during which a token that is still valid goes on being used. */
const accidents: ReadonlySet<string> = new Set([
  'unavailable',
  'connection_failed',
  'deadline_exceeded',
  'internal',
]);

export interface JwtSourceOptions extends WorkloadClientOptions {
  /** How long `open` waits for the first usable answer; without it as long as the signal lets it. */
  readonly firstAnswerMs?: number;
  /** How long one question for a token may take, 10 s unless told otherwise. */
  readonly fetchMs?: number;
  /**
   * The X.509 identities of this process: tokens of an ID that it does not list any more are forgotten at once, and
   * while it is withdrawn there are none. Without it the source hears only that the process has no identity at all.
   */
  readonly identity?: X509Source;
  /** Ends the source for good, whether it is still waiting or long open. */
  readonly signal: AbortSignal;
}

export interface TokenQuery {
  /** Best only one: whoever gets a token can show it to every other audience of it. */
  readonly audience: string | readonly string[];
  /** The default identity unless told otherwise. */
  readonly id?: SpiffeId;
}

/** Tokens of this process for its audiences, and the bundles to verify those of others, until it is disposed of. */
export class JwtSource implements AsyncDisposable {
  readonly #client: WorkloadClient;
  readonly #cache = new JwtCache();
  readonly #flights = new Map<string, Promise<JwtSvid>>();
  readonly #identity: X509Source | undefined;
  readonly #fetchMs: number;
  readonly #end = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  /** Fires when what was asked before is of no use any more. */
  #withdrawal = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #bundles: JwtBundleSet | undefined;
  #state: IdentityState = 'withdrawn';
  #error: SpiffeError | undefined;
  #following: Disposable | undefined;

  private constructor(options: JwtSourceOptions) {
    this.#client = new WorkloadClient(options);
    this.#identity = options.identity;
    this.#fetchMs = options.fetchMs ?? defaultFetchMs;
  }

  /** Resolves with the first bundles. Throws like `X509Source.open`. */
  static async open(options: JwtSourceOptions): Promise<JwtSource> {
    const source = new JwtSource(options);
    const signal = AbortSignal.any([options.signal, source.#end.signal]);
    source.#following = options.identity?.subscribe((change) => {
      if (change.kind === 'withdrawn') source.#withdraw(withdrawn());
      if (change.kind === 'updated') source.#retain();
    });
    source.#running = source.#run(source.#client.watchJwtBundleEvents(signal));
    return await awaitFirst(source, source.#first.promise, {
      end: source.#end,
      withinMs: options.firstAnswerMs,
    });
  }

  get state(): IdentityState {
    return this.#identity?.state === 'withdrawn' ? 'withdrawn' : this.#state;
  }

  /** What stands in the way at the moment, or undefined while all is well. */
  get error(): SpiffeError | undefined {
    return this.#error ?? (this.#identity?.state === 'withdrawn' ? this.#identity.error : undefined);
  }

  /** Throws SpiffeError `identity_withdrawn` while there is no identity. */
  get bundles(): JwtBundleSet {
    if (this.#bundles === undefined || this.state === 'withdrawn') throw withdrawn(this.error);
    return this.#bundles;
  }

  /** Judges somebody else's token by the bundles of now; throws what `verifyJwtSvid` throws. */
  verify(token: string, expected: TokenExpectation): VerifiedToken {
    return verifyJwtSvid(token, this.bundles, expected);
  }

  /**
   * A token in the first half of its life, from the cache where there is one. While the Workload API cannot be reached,
   * a token that is older serves until it expires. Throws SpiffeError: `identity_withdrawn`, `permission_denied` for an
   * ID that is not ours, or what is in the way.
   */
  async fetch(query: TokenQuery, signal: AbortSignal): Promise<JwtSvid> {
    const { id } = query;
    const audience = typeof query.audience === 'string' ? [query.audience] : query.audience;
    checkAudience(audience);
    if (signal.aborted) throw toAbortError(signal);
    if (this.state === 'withdrawn') throw withdrawn(this.error);
    this.#retain();
    const key = this.#cache.keyOf({ audience, id });
    const fresh = this.#cache.fresh(key, Date.now());
    if (fresh !== undefined) return fresh;
    try {
      return await withSignal(this.#share(key, { audience, id }), signal);
    } catch (error) {
      const old = this.#cache.valid(key, Date.now());
      const isAccident = error instanceof SpiffeError && accidents.has(error.code) && !signal.aborted;
      if (old === undefined || !isAccident) throw error;
      return old;
    }
  }

  /** Resolves when no socket and no timer is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#following?.[Symbol.dispose]();
    const error = new SpiffeError('aborted', 'the source of tokens was closed');
    this.#end.abort(error);
    this.#forget(error);
    await this.#running;
    await Promise.allSettled(this.#flights.values());
  }

  /** One question at a time for the same thing, however many wait for its answer. */
  #share(key: string, query: JwtSvidQuery): Promise<JwtSvid> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const flight = this.#ask(key, query).finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    });
    // Whoever waits for it sees how it ends; nobody may wait.
    flight.catch(() => undefined);
    this.#flights.set(key, flight);
    return flight;
  }

  async #ask(key: string, query: JwtSvidQuery): Promise<JwtSvid> {
    const withdrawal = this.#withdrawal.signal;
    try {
      const signal = AbortSignal.any([this.#end.signal, withdrawal, AbortSignal.timeout(this.#fetchMs)]);
      const [svid] = await this.#client.fetchJwtSvids(query, signal);
      if (withdrawal.aborted) throw toAbortError(withdrawal);
      if (svid === undefined) throw new SpiffeError('protocol_invalid', 'the answer has no JWT-SVIDs');
      this.#cache.keep(key, svid, Date.now());
      return svid;
    } catch (error) {
      const isDenied = error instanceof SpiffeError && error.code === 'permission_denied';
      if (isDenied) this.#cache.forget(key);
      throw error;
    }
  }

  #retain(): void {
    const identity = this.#identity;
    if (identity === undefined || identity.state === 'unreachable') return;
    this.#cache.retain(identity.context?.svids.map(({ id }) => id) ?? []);
  }

  async #run(events: AsyncGenerator<WatchEvent<JwtBundleSet>, never, undefined>): Promise<void> {
    try {
      for await (const event of events) this.#take(event);
    } catch (error) {
      const failure =
        error instanceof SpiffeError
          ? error
          : new SpiffeError('internal', 'the source failed', { cause: error });
      const last = this.#error ?? failure;
      this.#first.reject(new SpiffeError(last.code, `no JWT bundles came: ${last.message}`, { cause: last }));
      this.#error = failure;
      this.#forget(failure);
    }
  }

  #take(event: WatchEvent<JwtBundleSet>): void {
    if (event.kind === 'received') {
      this.#error = undefined;
      this.#bundles = event.value;
      this.#state = 'held';
      this.#first.resolve();
      return;
    }
    this.#error = event.error;
    if (event.kind === 'denied') this.#forget(withdrawn(event.error));
    if (event.kind === 'lost' && this.#state === 'held') this.#state = 'unreachable';
  }

  /** For good, or until the stream has bundles again. */
  #forget(why: SpiffeError): void {
    this.#state = 'withdrawn';
    this.#bundles = undefined;
    this.#withdraw(why);
  }

  /** No token and no answer that is under way outlives the identity. The bundles stay: nobody sends them again. */
  #withdraw(why: SpiffeError): void {
    this.#cache.clear();
    this.#flights.clear();
    this.#withdrawal.abort(why);
    this.#withdrawal = new AbortController();
  }
}

function withdrawn(cause?: SpiffeError): SpiffeError {
  const message = 'the Workload API has no identity for this workload any more';
  return new SpiffeError('identity_withdrawn', message, cause === undefined ? {} : { cause });
}

/** The result, or the reason of one who does not want to wait for it any more. */
async function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(toAbortError(signal));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
