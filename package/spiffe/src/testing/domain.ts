import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import type { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import type { X509Svid } from '../x509/svid.ts';

interface Life {
  readonly lifetimeMs?: number;
  readonly now?: Date;
}

/** A trust domain of its own for a test, with an honest authority. */
export class TestDomain {
  readonly trustDomain: TrustDomain;
  readonly authority: CertificateAuthority;
  readonly bundle: X509Bundle;
  /** Its own bundle alone. */
  readonly bundles: X509BundleSet;

  constructor(name: string) {
    this.trustDomain = TrustDomain.parse(name);
    this.authority = CertificateAuthority.create({ trustDomain: this.trustDomain });
    this.bundle = this.authority.bundle();
    this.bundles = X509BundleSet.of(this.bundle);
  }

  issue(path: string, life: Life = {}): X509Svid {
    return this.authority.issueX509Svid({ id: SpiffeId.from(this.trustDomain, path), ...life });
  }
}
