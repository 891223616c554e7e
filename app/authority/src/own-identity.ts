import {
  SpiffeId,
  X509BundleSet,
  type CertificateAuthority,
  type Identity,
  type IdentityChange,
  type IdentitySource,
} from '@spike/spiffe';

/** The ID under which the authority itself serves its bundle; no entry can name it. */
const path = '/spike/authority';
const lifetimeMs = 3_600_000;

/** An identity that the authority issues to itself, renewed at half its life by whoever calls `renew` often enough. */
export class OwnIdentity implements IdentitySource {
  readonly state = 'held';
  readonly id: SpiffeId;
  readonly #authority: CertificateAuthority;
  readonly #bundles: X509BundleSet;
  readonly #listeners = new Set<(change: IdentityChange) => void>();
  #identity: Identity;

  constructor(authority: CertificateAuthority) {
    this.#authority = authority;
    this.#bundles = X509BundleSet.of(authority.bundle());
    this.id = SpiffeId.from(authority.trustDomain, path);
    this.#identity = this.#issue();
  }

  current(): Identity {
    return this.#identity;
  }

  subscribe(listener: (change: IdentityChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  renew(now = Date.now()): void {
    const { notBefore, notAfter } = this.#identity.svid;
    const isYoung = now >= notBefore.getTime() && now < notAfter.getTime() - lifetimeMs / 2;
    if (isYoung) return;
    this.#identity = this.#issue();
    for (const listener of this.#listeners)
      listener({ kind: 'updated', svidChanged: true, bundlesChanged: [] });
  }

  #issue(): Identity {
    const svid = this.#authority.issueX509Svid({ id: this.id, lifetimeMs });
    return { svid, bundles: this.#bundles };
  }
}
