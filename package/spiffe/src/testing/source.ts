import { SpiffeError } from '../error.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { Identity, IdentityChange, IdentitySource, IdentityState } from '../source.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import type { X509Svid } from '../x509/svid.ts';

/** An identity source that a test turns by hand. */
export class StaticSource implements IdentitySource {
  readonly #listeners = new Set<(change: IdentityChange) => void>();
  #identity: Identity | undefined;
  #reachable = true;

  constructor(svid: X509Svid, bundles: X509BundleSet) {
    this.#identity = { svid, bundles };
  }

  get state(): IdentityState {
    if (this.#identity === undefined) return 'withdrawn';
    return this.#reachable ? 'held' : 'unreachable';
  }

  current(): Identity {
    if (this.#identity === undefined)
      throw new SpiffeError('identity_withdrawn', 'the test took the identity away');
    if (this.#identity.svid.notAfter.getTime() < Date.now()) {
      throw new SpiffeError('identity_expired', 'the identity of the test has expired');
    }
    return this.#identity;
  }

  subscribe(listener: (change: IdentityChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** A new answer of the Workload API, whole. */
  set(svid: X509Svid, bundles: X509BundleSet): void {
    const before = this.#identity;
    this.#identity = { svid, bundles };
    if (!this.#reachable) {
      this.#reachable = true;
      this.#tell({ kind: 'reachable' });
    }
    this.#tell({
      kind: 'updated',
      svidChanged: before?.svid !== svid,
      bundlesChanged: findChanged(before?.bundles, bundles),
    });
  }

  withdraw(): void {
    this.#identity = undefined;
    this.#tell({ kind: 'withdrawn', reason: 'permission_denied' });
  }

  unreachable(): void {
    this.#reachable = false;
    this.#tell({
      kind: 'unreachable',
      error: new SpiffeError('unavailable', 'the test took the agent away'),
    });
  }

  #tell(change: IdentityChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function findChanged(before: X509BundleSet | undefined, after: X509BundleSet): TrustDomain[] {
  const changed: TrustDomain[] = [];
  for (const bundle of after) {
    const old = before?.get(bundle.trustDomain);
    if (old === undefined || !old.equals(bundle)) changed.push(bundle.trustDomain);
  }
  for (const bundle of before ?? [])
    if (after.get(bundle.trustDomain) === undefined) changed.push(bundle.trustDomain);
  return changed;
}
