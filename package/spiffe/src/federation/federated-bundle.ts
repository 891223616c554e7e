import { setTimeout as wait } from 'node:timers/promises';
import type { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { SpiffeError } from '../error.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { X509Bundle } from '../x509/bundle.ts';
import type { EndpointProfile } from './endpoint.ts';
import { parseEndpointUrl } from './endpoint.ts';
import { fetchBundle } from './fetch.ts';

/** How to reach the endpoint, as an operator says it. */
export type RelationshipProfile =
  | Extract<EndpointProfile, { readonly kind: 'https_web' }>
  | {
      readonly kind: 'https_spiffe';
      readonly id: SpiffeId;
      /** For an ID of another trust domain than the one whose bundle this is: what is known of that one now. */
      readonly authorities?: () => X509Bundle | undefined;
    };

export interface RelationshipOptions {
  readonly trustDomain: TrustDomain;
  readonly url: string;
  readonly profile: RelationshipProfile;
  /** What was known before: the operator's copy, or the last one that was fetched. */
  readonly initial?: SpiffeBundle;
  /** Called for each bundle that is not the one before, in the turn in which it is known. */
  readonly onChange?: (bundle: SpiffeBundle) => void;
  /** Called for each attempt that failed; the last bundle stays. */
  readonly onFailure?: (error: SpiffeError) => void;
  readonly timeoutMs?: number;
  /** How often to ask when the bundle gives no hint, and within what its hint is heeded. */
  readonly interval?: Partial<RefreshInterval>;
  readonly signal: AbortSignal;
}

export interface RefreshInterval {
  readonly defaultMs: number;
  readonly leastMs: number;
  readonly mostMs: number;
}

const defaultInterval: RefreshInterval = { defaultMs: 300_000, leastMs: 1_000, mostMs: 86_400_000 };

/**
 * The bundle of another trust domain, kept current from its endpoint (Federation 4, 6.2): asked at once, and then as
 * often as the bundle says. What fails is tried again at the next turn, not sooner, and costs nothing that is known.
 */
export class FederatedBundle implements AsyncDisposable {
  readonly trustDomain: TrustDomain;
  readonly #options: RelationshipOptions;
  readonly #profile: EndpointProfile;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  #current: SpiffeBundle | undefined;
  #error: SpiffeError | undefined;
  #asking: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: RelationshipOptions) {
    parseEndpointUrl(options.url);
    const { initial, trustDomain } = options;
    if (initial !== undefined && !initial.trustDomain.equals(trustDomain))
      throw new SpiffeError('bundle_invalid', `the first bundle is not one of ${trustDomain.name}`);
    if (initial !== undefined) checkUsable(initial);
    this.trustDomain = trustDomain;
    this.#options = options;
    this.#profile = this.#resolve(options.profile);
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#current = initial;
  }

  /** Starts at once and waits for nothing. Throws SpiffeError `endpoint_invalid`, `bundle_invalid`. */
  static open(options: RelationshipOptions): FederatedBundle {
    const bundle = new FederatedBundle(options);
    bundle.#running = bundle.#run();
    return bundle;
  }

  /** The newest that is known; undefined before the first. */
  get current(): SpiffeBundle | undefined {
    return this.#current;
  }

  /** Why the last attempt failed; undefined after one that did not. */
  get error(): SpiffeError | undefined {
    return this.#error;
  }

  /** Asks now, whatever the time is. What is in the way is in `error` afterwards. */
  async refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    await this.#asking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new SpiffeError('aborted', 'the relationship was ended'));
    await this.#running;
    await this.#asking;
  }

  /** A self-serving endpoint is verified with the newest bundle that it served (Federation 5.2.2.4). */
  #resolve(profile: RelationshipProfile): EndpointProfile {
    if (profile.kind === 'https_web') return profile;
    const { id, authorities } = profile;
    if (id.memberOf(this.trustDomain))
      return { kind: 'https_spiffe', id, authorities: () => this.#current?.x509Bundle() };
    if (authorities === undefined) {
      const message = `nothing says what to verify the endpoint with: ${id.toString()} is not of ${this.trustDomain.name}`;
      throw new SpiffeError('endpoint_invalid', message);
    }
    return { kind: 'https_spiffe', id, authorities };
  }

  async #run(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.refresh();
      await wait(this.#intervalMs(), undefined, { signal: this.#signal, ref: false }).catch(() => undefined);
    }
  }

  async #ask(): Promise<void> {
    const { trustDomain, url, timeoutMs, onFailure } = this.#options;
    try {
      const endpoint = { trustDomain, url, profile: this.#profile };
      const bundle = await fetchBundle(endpoint, {
        signal: this.#signal,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      // One that was ended in the meantime has nothing to say any more.
      if (this.#signal.aborted) return;
      this.#take(bundle);
      this.#error = undefined;
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#error =
        error instanceof SpiffeError
          ? error
          : new SpiffeError('internal', 'asking for the bundle failed', { cause: error });
      onFailure?.(this.#error);
    }
  }

  #take(bundle: SpiffeBundle): void {
    const before = this.#current;
    checkUsable(bundle);
    checkNewer(bundle.sequence, before?.sequence);
    const isSame = before?.marshal() === bundle.marshal();
    this.#current = bundle;
    if (!isSame) this.#options.onChange?.(bundle);
  }

  #intervalMs(): number {
    const { defaultMs, leastMs, mostMs } = { ...defaultInterval, ...this.#options.interval };
    // Zero is no hint at all: nobody can be asked all the time.
    const hint = this.#current?.refreshHintSec ?? 0;
    return hint === 0 ? defaultMs : Math.min(mostMs, Math.max(leastMs, hint * 1000));
  }
}

/** Throws SpiffeError `bundle_invalid` for more authorities than anybody takes: whoever is told of them would fail. */
function checkUsable(bundle: SpiffeBundle): void {
  bundle.x509Bundle();
  bundle.jwtBundle();
}

/** One without a sequence could be of any time, which is nothing to replace a newer one with. */
function checkNewer(sequence: bigint | undefined, known: bigint | undefined): void {
  if (known === undefined || (sequence !== undefined && sequence >= known)) return;
  const served = sequence === undefined ? 'a bundle without a sequence' : `bundle ${sequence}`;
  throw new SpiffeError('bundle_invalid', `the endpoint served ${served}, and bundle ${known} is known`);
}
