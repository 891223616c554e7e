import { SpiffeError } from '../error.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { X509Bundle } from './bundle.ts';

/** Bundles by trust domain: what a process believes about whom. Immutable; a new answer makes a new set. */
export class X509BundleSet implements Iterable<X509Bundle> {
  readonly #byName: ReadonlyMap<string, X509Bundle>;

  private constructor(byName: ReadonlyMap<string, X509Bundle>) {
    this.#byName = byName;
  }

  /** Throws SpiffeError `bundle_invalid` when two bundles are of one trust domain: which to believe is not ours to choose. */
  static of(...bundles: readonly X509Bundle[]): X509BundleSet {
    const byName = new Map(bundles.map((bundle) => [bundle.trustDomain.name, bundle]));
    if (byName.size !== bundles.length) {
      throw new SpiffeError('bundle_invalid', 'two bundles are of the same trust domain');
    }
    return new X509BundleSet(byName);
  }

  get(trustDomain: TrustDomain): X509Bundle | undefined {
    return this.#byName.get(trustDomain.name);
  }

  get size(): number {
    return this.#byName.size;
  }

  [Symbol.iterator](): Iterator<X509Bundle> {
    return this.#byName.values();
  }
}
