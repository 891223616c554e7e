import { SpiffeError } from '../error.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { Identity, IdentityChange, IdentitySource, IdentityState, X509Context } from '../source.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import type { X509Svid } from '../x509/svid.ts';
import { WorkloadClient, type WorkloadClientOptions } from './client.ts';
import type { WatchEvent } from './watch.ts';
import { awaitFirst } from './first-answer.ts';

export interface X509SourceOptions extends WorkloadClientOptions {
  /**
   * Which SVID is ours; the first unless told otherwise. `undefined` means that none is, which counts as withdrawn.
   * What it throws on the first answer is thrown by `open`, and counts as withdrawn later.
   */
  readonly pick?: (svids: readonly X509Svid[]) => X509Svid | undefined;
  /** How long `open` waits for the first usable answer; without it as long as the signal lets it. */
  readonly firstAnswerMs?: number;
  /** Ends the source for good, whether it is still waiting or long open. A timeout for opening is `firstAnswerMs`. */
  readonly signal: AbortSignal;
}

/**
 * The identity of this process as the Workload API tells it, from the first answer on until it is disposed of. It
 * holds a connection, and with it the process, open.
 */
export class X509Source implements IdentitySource, AsyncDisposable {
  readonly #pick: (svids: readonly X509Svid[]) => X509Svid | undefined;
  readonly #listeners = new Set<(change: IdentityChange) => void>();
  readonly #end = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();
  #identity: Identity | undefined;
  #context: X509Context | undefined;
  #state: IdentityState = 'withdrawn';
  #error: SpiffeError | undefined;

  private constructor(pick: (svids: readonly X509Svid[]) => X509Svid | undefined) {
    this.#pick = pick;
  }

  /**
   * Resolves with the first answer that has an identity for us. Throws SpiffeError: `endpoint_invalid`,
   * `invalid_argument` and `unimplemented` at once, and when the time is over what was in the way last, by the code
   * of it (`permission_denied`, `connection_failed`, `unavailable`, …) and with it as the cause.
   */
  static async open(options: X509SourceOptions): Promise<X509Source> {
    const client = new WorkloadClient(options);
    const source = new X509Source(options.pick ?? (([first]) => first));
    const signal = AbortSignal.any([options.signal, source.#end.signal]);
    source.#running = source.#run(client.watchX509Events(signal));
    return await awaitFirst(source, source.#first.promise, {
      end: source.#end,
      withinMs: options.firstAnswerMs,
    });
  }

  get state(): IdentityState {
    return this.#state;
  }

  /** What stands in the way at the moment, or undefined while all is well. */
  get error(): SpiffeError | undefined {
    return this.#error;
  }

  /** The whole last answer, also the SVIDs that were not picked; undefined when it was taken away. */
  get context(): X509Context | undefined {
    return this.#context;
  }

  current(): Identity {
    const identity = this.#identity;
    if (identity === undefined) {
      throw new SpiffeError(
        'identity_withdrawn',
        'the Workload API has no identity for this workload any more',
        {
          cause: this.#error,
        },
      );
    }
    if (Date.now() > identity.svid.notAfter.getTime()) {
      throw new SpiffeError(
        'identity_expired',
        `the identity ${identity.svid.id.toString()} expired before a new one came`,
        {
          cause: this.#error,
        },
      );
    }
    return identity;
  }

  subscribe(listener: (change: IdentityChange) => void): Disposable {
    // A function of its own per subscription: the same listener may be subscribed twice.
    const entry = (change: IdentityChange): void => listener(change);
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) };
  }

  /** Resolves when no socket and no timer is left. Nobody is told: whoever ends a source knows. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    this.#end.abort(new SpiffeError('aborted', 'the source of identity was closed'));
    await this.#running;
  }

  async #run(events: AsyncGenerator<WatchEvent<X509Context>, never, undefined>): Promise<void> {
    try {
      for await (const event of events) this.#take(event);
    } catch (error) {
      const failure =
        error instanceof SpiffeError
          ? error
          : new SpiffeError('internal', 'the source failed', { cause: error });
      const ended = failure.code === 'aborted' || failure.code === 'deadline_exceeded';
      this.#first.reject(ended ? this.#explainFirst(failure) : failure);
      if (ended) this.#close(failure);
      else this.#lose(failure);
    }
  }

  #take(event: WatchEvent<X509Context>): void {
    switch (event.kind) {
      case 'received':
        this.#receive(event.value);
        return;
      case 'discarded':
        this.#error = event.error;
        return;
      case 'denied':
        this.#withdraw('permission_denied', event.error);
        return;
      case 'lost':
        this.#lose(event.error);
        return;
    }
  }

  #receive(context: X509Context): void {
    let svid: X509Svid | undefined;
    let why = new SpiffeError(
      'permission_denied',
      'the Workload API answers, but with no identity for this program',
    );
    try {
      svid = this.#pick(context.svids);
    } catch (error) {
      this.#first.reject(error);
      why =
        error instanceof SpiffeError
          ? error
          : new SpiffeError('internal', 'choosing the identity failed', { cause: error });
    }
    if (svid === undefined) {
      this.#withdraw('absent', why);
      return;
    }
    const before = this.#identity;
    const state = this.#state;
    const svidChanged = before?.svid.equals(svid) !== true;
    const bundlesChanged = findChanges(before?.bundles ?? X509BundleSet.of(), context.bundles);
    this.#error = undefined;
    this.#context = context;
    this.#state = 'held';
    this.#identity = { svid, bundles: context.bundles };
    this.#first.resolve();
    if (state === 'unreachable') this.#emit({ kind: 'reachable' });
    if (state !== 'held' || svidChanged || bundlesChanged.length > 0) {
      this.#emit({ kind: 'updated', svidChanged, bundlesChanged });
    }
  }

  #withdraw(reason: 'absent' | 'permission_denied', error: SpiffeError): void {
    this.#error = error;
    if (this.#state === 'withdrawn') return;
    this.#state = 'withdrawn';
    this.#identity = undefined;
    this.#context = undefined;
    this.#emit({ kind: 'withdrawn', reason });
  }

  #lose(error: SpiffeError): void {
    this.#error = error;
    // An identity that was taken away does not come back because the one who took it is gone.
    if (this.#state !== 'held') return;
    this.#state = 'unreachable';
    this.#emit({ kind: 'unreachable', error });
  }

  #close(error: SpiffeError): void {
    this.#error = error;
    this.#state = 'withdrawn';
    this.#identity = undefined;
    this.#context = undefined;
    this.#listeners.clear();
  }

  #emit(change: IdentityChange): void {
    const listeners = [...this.#listeners];
    for (const listener of listeners) {
      // One that was unsubscribed by another in the meantime does not want to hear it.
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(change);
      } catch (error) {
        // A listener that could not act on a lost identity is no small matter, but the others go first.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  #explainFirst(end: SpiffeError): SpiffeError {
    const last = this.#error;
    if (last === undefined) {
      return new SpiffeError(end.code, `no identity came from the Workload API: ${end.message}`, {
        cause: end,
      });
    }
    return new SpiffeError(last.code, `no identity came from the Workload API: ${last.message}`, {
      cause: last,
    });
  }
}

function findChanges(before: X509BundleSet, after: X509BundleSet): readonly TrustDomain[] {
  const changed = [...after].filter((bundle) => before.get(bundle.trustDomain)?.equals(bundle) !== true);
  const gone = [...before].filter((bundle) => after.get(bundle.trustDomain) === undefined);
  return [...changed, ...gone].map((bundle) => bundle.trustDomain);
}
