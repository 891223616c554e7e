import type { TrustDomain } from './id/trust-domain.ts';
import type { X509BundleSet } from './x509/bundle-set.ts';
import type { X509Svid } from './x509/svid.ts';
import type { SpiffeError } from './error.ts';

/** The whole answer of the Workload API to one workload: nothing of an earlier answer lives on (C-7). */
export interface X509Context {
  /** The first one is the default (C-9). Empty when the workload has bundles but no identity. */
  readonly svids: readonly X509Svid[];
  readonly bundles: X509BundleSet;
}

/** The identity that a process acts under, and whom it believes, both of the same answer. */
export interface Identity {
  readonly svid: X509Svid;
  readonly bundles: X509BundleSet;
}

/**
 * What became of our identity. `withdrawn` is a decision (there is an answer, and we are not in it, or no answer for
 * us); `unreachable` is an accident, during which the last identity stays usable until it expires. `reachable` ends
 * the accident and is followed by `updated`, even if nothing is different.
 */
export type IdentityChange =
  | {
      readonly kind: 'updated';
      readonly svidChanged: boolean;
      readonly bundlesChanged: readonly TrustDomain[];
    }
  | { readonly kind: 'withdrawn'; readonly reason: 'absent' | 'permission_denied' }
  | { readonly kind: 'unreachable'; readonly error: SpiffeError }
  | { readonly kind: 'reachable' };

export type IdentityState = 'held' | 'withdrawn' | 'unreachable';

/** Where servers and clients get their certificate and bundles from, asked anew for each connection. */
export interface IdentitySource {
  readonly state: IdentityState;
  /** Throws `identity_withdrawn` when it was taken away, `identity_expired` after its last second. */
  current(): Identity;
  /**
   * The listener runs synchronously, in the turn in which the change is known and in the order of subscription, so
   * that nothing is served in between. What it throws does not reach the source.
   */
  subscribe(listener: (change: IdentityChange) => void): Disposable;
}

/**
 * For listeners that have heard `updated`. Undefined when the answer came too late to be of use: one that waited while
 * the machine slept may hold an SVID that has expired since, which is no reason for a listener to throw.
 */
export function currentOf(source: IdentitySource): Identity | undefined {
  try {
    return source.current();
  } catch {
    return undefined;
  }
}
