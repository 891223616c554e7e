import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { createEcdsaSigner, createKeyId, createSerialNumber, signDraft, writeName } from '../ca/draft.ts';
import {
  writeAuthorityKeyId,
  writeBasicConstraints,
  writeKeyUsage,
  writeSubjectAltName,
  writeUriName,
} from '../ca/extension.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import type { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { Certificate } from '../x509/certificate.ts';
import { oid } from '../x509/oid.ts';
import { toPem } from '../x509/pem.ts';
import { X509Svid } from '../x509/svid.ts';
import type { TlsCredential } from './peer.ts';

interface Life {
  readonly lifetimeMs?: number;
  readonly now?: Date;
}

/** A leaf as no honest authority would make it. */
export interface ForgedLeaf {
  readonly uris: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly ca?: boolean;
}

/** A trust domain of its own for a test, that issues what it should and what it should not. */
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

  /** An SVID for an ID that is not this domain's to give. */
  issueFor(id: string): X509Svid {
    const { cert, key } = this.forge({ uris: [id] });
    return X509Svid.parsePem(cert, key);
  }

  forge(leaf: ForgedLeaf): TlsCredential {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const authority = this.authority.certificate;
    const der = signDraft(
      {
        serialNumber: createSerialNumber(),
        issuer: authority.subject.der,
        subject: writeName([oid.organization, 'forged']),
        notBefore: leaf.notBefore ?? new Date(Date.now() - 60_000),
        notAfter: leaf.notAfter ?? new Date(Date.now() + 3_600_000),
        publicKeyInfo: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
        extensions: [
          writeKeyUsage('digitalSignature', ...(leaf.ca === true ? (['keyCertSign'] as const) : [])),
          writeBasicConstraints(leaf.ca ?? false),
          writeAuthorityKeyId(createKeyId(authority.publicKeyInfo)),
          ...(leaf.uris.length === 0 ? [] : [writeSubjectAltName(false, ...leaf.uris.map(writeUriName))]),
        ],
      },
      createEcdsaSigner(createPrivateKey(this.authority.exportPrivateKeyPem())),
    );
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert: toPem('CERTIFICATE', Certificate.parse(der).der), key };
  }
}
