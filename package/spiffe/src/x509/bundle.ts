import { SpiffeError } from '../error.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { Certificate } from './certificate.ts';
import { readPemCertificates, toPem } from './pem.ts';

/** More authorities than any trust domain has at a time, rotation included. */
const mostAuthorities = 256;

/**
 * The X.509 authorities of one trust domain. A bundle without any is valid and means that nothing is believed
 * about this trust domain. Bundles of different trust domains are never merged (B-9).
 */
export class X509Bundle {
  readonly trustDomain: TrustDomain;
  readonly authorities: readonly Certificate[];

  private constructor(trustDomain: TrustDomain, authorities: readonly Certificate[]) {
    this.trustDomain = trustDomain;
    this.authorities = authorities;
  }

  /** An authority that is listed twice is kept once. Throws SpiffeError `bundle_invalid` for more than 256. */
  static of(trustDomain: TrustDomain, authorities: readonly Certificate[]): X509Bundle {
    const byBytes = new Map(authorities.map((one) => [Buffer.from(one.der).toString('latin1'), one]));
    const unique = [...byBytes.values()];
    if (unique.length > mostAuthorities) {
      throw new SpiffeError('bundle_invalid', `a bundle has more than ${mostAuthorities} authorities`);
    }
    return new X509Bundle(trustDomain, unique);
  }

  /** Reads concatenated DER, the form of the Workload API; throws SpiffeError `bundle_invalid`. */
  static parse(trustDomain: TrustDomain, der: Uint8Array): X509Bundle {
    return X509Bundle.of(
      trustDomain,
      readAs('bundle_invalid', () => Certificate.parseAll(der, mostAuthorities)),
    );
  }

  /** Reads CERTIFICATE blocks, at least one; throws SpiffeError `bundle_invalid`. */
  static parsePem(trustDomain: TrustDomain, pem: string): X509Bundle {
    return X509Bundle.of(
      trustDomain,
      readAs('bundle_invalid', () => readPemCertificates(pem, mostAuthorities)),
    );
  }

  /** Concatenated DER, the form of the Workload API. */
  toDer(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.authorities.map((authority) => authority.der)));
  }

  toPem(): string {
    return this.authorities.map((authority) => toPem('CERTIFICATE', authority.der)).join('');
  }

  /** The same trust domain and the same authorities, in any order. */
  equals(other: X509Bundle): boolean {
    return (
      this === other ||
      (this.trustDomain.equals(other.trustDomain) &&
        this.authorities.length === other.authorities.length &&
        this.authorities.every((one) => other.authorities.some((theirs) => theirs.equals(one))))
    );
  }
}

/** Gives a failure to read certificates the code of what they were to become. */
export function readAs<T>(code: 'bundle_invalid' | 'svid_invalid', read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = error instanceof SpiffeError ? error.message : 'the bytes cannot be read';
    throw new SpiffeError(code, why, { cause: error });
  }
}
