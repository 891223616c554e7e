import {
  CertificateAuthority,
  SpiffeError,
  SpiffeId,
  TrustDomain,
  verifyX509Svid,
  X509BundleSet,
  type Identity,
  type IdentityChange,
  type IdentitySource,
  type IdentityState,
  type VerifiedPeer,
  type X509Svid,
} from '@spike/spiffe';

/** A trust domain for tests, with peers that are truly verified. */
export class TestWorld {
  readonly trustDomain: TrustDomain;
  readonly bundles: X509BundleSet;
  readonly #authority: CertificateAuthority;

  constructor(name = 'spike.ist') {
    this.trustDomain = TrustDomain.parse(name);
    this.#authority = CertificateAuthority.create({ trustDomain: this.trustDomain });
    this.bundles = X509BundleSet.of(this.#authority.bundle());
  }

  svid(path: string): X509Svid {
    return this.#authority.issueX509Svid({ id: SpiffeId.from(this.trustDomain, path) });
  }

  peer(path: string): VerifiedPeer {
    return verifyX509Svid(this.svid(path).chain, this.bundles);
  }

  source(path: string): TestSource {
    return new TestSource({ svid: this.svid(path), bundles: this.bundles });
  }
}

/** An identity that stays until it is taken away. */
export class TestSource implements IdentitySource {
  readonly #listeners = new Set<(change: IdentityChange) => void>();
  #identity: Identity | undefined;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  get state(): IdentityState {
    return this.#identity === undefined ? 'withdrawn' : 'held';
  }

  current(): Identity {
    if (this.#identity === undefined) throw new SpiffeError('identity_withdrawn', 'the test took it away');
    return this.#identity;
  }

  subscribe(listener: (change: IdentityChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  withdraw(): void {
    this.#identity = undefined;
    for (const listener of this.#listeners) listener({ kind: 'withdrawn', reason: 'absent' });
  }
}
