import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { Certificate } from '../x509/certificate.ts';
import { oid } from '../x509/oid.ts';
import { readPem, readPemCertificates, toPem } from '../x509/pem.ts';
import { longestChain, readPrivateKey, X509Svid } from '../x509/svid.ts';
import { createEcdsaSigner, createKeyId, createSerialNumber, signDraft, writeName } from './draft.ts';
import {
  writeAuthorityKeyId,
  writeBasicConstraints,
  writeDnsName,
  writeExtKeyUsage,
  writeKeyUsage,
  writeSubjectAltName,
  writeSubjectKeyId,
  writeUriName,
} from './extension.ts';

const day = 86_400_000;

export interface AuthorityOptions {
  readonly trustDomain: TrustDomain;
  /** Ten years when absent. */
  readonly lifetimeMs?: number;
  readonly now?: Date;
}

export interface SvidRequest {
  readonly id: SpiffeId;
  /** One hour when absent; cut to the life of the authority. */
  readonly lifetimeMs?: number;
  readonly dnsNames?: readonly string[];
  readonly hint?: string;
  readonly now?: Date;
}

/**
 * A signing authority of one trust domain, P-256 with SHA-256. It holds its private key in memory; where that is
 * kept otherwise, and who gets which identity, is for its owner to decide.
 */
export class CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly certificate: Certificate;
  /** Between this authority and the root, this one first; empty for a root. */
  readonly #intermediates: readonly Certificate[];
  readonly #root: Certificate;
  readonly #privateKey: KeyObject;

  private constructor(
    trustDomain: TrustDomain,
    chain: readonly Certificate[],
    root: Certificate,
    privateKey: KeyObject,
  ) {
    this.trustDomain = trustDomain;
    this.certificate = chain[0] ?? root;
    this.#intermediates = chain;
    this.#root = root;
    this.#privateKey = privateKey;
  }

  /** A new root with a new key. */
  static create(options: AuthorityOptions): CertificateAuthority {
    const { privateKey, publicKeyInfo } = createKey();
    const name = authorityName();
    const root = signAuthority({
      trustDomain: options.trustDomain,
      publicKeyInfo,
      subject: name,
      issuer: name,
      issuerKeyInfo: publicKeyInfo,
      issuerKey: privateKey,
      ...lifeOf(options.now, options.lifetimeMs ?? 3650 * day, undefined),
    });
    return new CertificateAuthority(options.trustDomain, [], root, privateKey);
  }

  /**
   * A root that was made before, from PEM. Throws SpiffeError `certificate_invalid` when the certificate is not an
   * authority with the ID of a trust domain, and `key_invalid` when the key is not its own.
   */
  static load(certificatePem: string, privateKeyPem: string): CertificateAuthority {
    const [certificate, ...more] = readPemCertificates(certificatePem, longestChain);
    const [key, ...moreKeys] = readPem(privateKeyPem, longestChain);
    if (certificate === undefined || more.length > 0) {
      throw new SpiffeError('certificate_invalid', 'there is not exactly one certificate of the authority');
    }
    if (key?.label !== 'PRIVATE KEY' || moreKeys.length > 0) {
      throw new SpiffeError('key_invalid', 'there is not exactly one private key of the authority');
    }
    const privateKey = readPrivateKey(key.der);
    const trustDomain = readTrustDomain(certificate);
    if (!createPublicKey(privateKey).equals(certificate.publicKey)) {
      throw new SpiffeError('key_invalid', 'the private key does not belong to the authority');
    }
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new SpiffeError('key_invalid', 'the private key of the authority is not a P-256 key');
    }
    return new CertificateAuthority(trustDomain, [], certificate, privateKey);
  }

  /** What others need in order to believe this authority: its root. */
  bundle(): X509Bundle {
    return X509Bundle.of(this.trustDomain, [this.#root]);
  }

  /** An authority below this one, whose SVIDs carry its certificate with them. It never outlives this one. */
  createIntermediate(options: Omit<AuthorityOptions, 'trustDomain'> = {}): CertificateAuthority {
    const { privateKey, publicKeyInfo } = createKey();
    const certificate = signAuthority({
      trustDomain: this.trustDomain,
      publicKeyInfo,
      subject: authorityName(),
      issuer: this.certificate.subject.der,
      issuerKeyInfo: this.certificate.publicKeyInfo,
      issuerKey: this.#privateKey,
      ...lifeOf(options.now, options.lifetimeMs ?? 365 * day, this.certificate),
    });
    return new CertificateAuthority(
      this.trustDomain,
      [certificate, ...this.#intermediates],
      this.#root,
      privateKey,
    );
  }

  /**
   * Issues an X.509-SVID on a new P-256 key. Throws SpiffeError `id_invalid` for an ID without a path or of another
   * trust domain, and `identity_expired` when the authority itself has no life left.
   */
  issueX509Svid(request: SvidRequest): X509Svid {
    const { privateKey, publicKeyInfo } = createKey();
    const leaf = this.#sign(request, publicKeyInfo);
    return X509Svid.of([leaf, ...this.#intermediates], privateKey, request.hint);
  }

  /** The same for a key that the workload keeps to itself; the chain, leaf first. */
  signX509Svid(request: SvidRequest, publicKey: KeyObject): readonly Certificate[] {
    const publicKeyInfo = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    return [this.#sign(request, publicKeyInfo), ...this.#intermediates];
  }

  get certificatePem(): string {
    return toPem('CERTIFICATE', this.certificate.der);
  }

  /** Key material: whoever reads this text can make every identity of the trust domain. */
  exportPrivateKeyPem(): string {
    return this.#privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  #sign(request: SvidRequest, publicKeyInfo: Uint8Array): Certificate {
    const { id, dnsNames = [] } = request;
    if (!id.memberOf(this.trustDomain)) {
      throw new SpiffeError('id_invalid', `the ID is not of the trust domain ${this.trustDomain.name}`);
    }
    if (id.path === '') throw new SpiffeError('id_invalid', 'a workload has an ID with a path');
    const der = signDraft(
      {
        serialNumber: createSerialNumber(),
        issuer: this.certificate.subject.der,
        subject: writeName([oid.organization, 'SPIFFE']),
        ...lifeOf(request.now, request.lifetimeMs ?? 3_600_000, this.certificate),
        publicKeyInfo,
        extensions: [
          writeKeyUsage('digitalSignature'),
          writeExtKeyUsage(oid.serverAuth, oid.clientAuth),
          writeBasicConstraints(false),
          writeSubjectKeyId(createKeyId(publicKeyInfo)),
          writeAuthorityKeyId(createKeyId(this.certificate.publicKeyInfo)),
          writeSubjectAltName(false, writeUriName(id.toString()), ...dnsNames.map(writeDnsName)),
        ],
      },
      createEcdsaSigner(this.#privateKey),
    );
    return Certificate.parse(der);
  }
}

interface AuthorityDraft {
  readonly trustDomain: TrustDomain;
  readonly publicKeyInfo: Uint8Array;
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly issuerKeyInfo: Uint8Array;
  readonly issuerKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

function signAuthority(draft: AuthorityDraft): Certificate {
  const der = signDraft(
    {
      ...draft,
      serialNumber: createSerialNumber(),
      extensions: [
        writeKeyUsage('keyCertSign', 'cRLSign'),
        writeBasicConstraints(true),
        writeSubjectKeyId(createKeyId(draft.publicKeyInfo)),
        writeAuthorityKeyId(createKeyId(draft.issuerKeyInfo)),
        writeSubjectAltName(false, writeUriName(draft.trustDomain.toString())),
      ],
    },
    createEcdsaSigner(draft.issuerKey),
  );
  return Certificate.parse(der);
}

/** Two authorities of one trust domain must not share a name, or rotation would leave the choice to key identifiers. */
function authorityName(): Uint8Array {
  const number = Buffer.from(createSerialNumber()).toString('hex');
  return writeName([oid.organization, 'SPIFFE'], [oid.serialNumber, number]);
}

function createKey(): { privateKey: KeyObject; publicKeyInfo: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, publicKeyInfo: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) };
}

/**
 * Certificates know whole seconds. The life begins with the second that is running, since a peer whose clock is
 * right must be able to use it at once, and never goes beyond that of the issuer, or of the calendar.
 */
function lifeOf(
  now: Date | undefined,
  lifetimeMs: number,
  issuer: Certificate | undefined,
): { notBefore: Date; notAfter: Date } {
  if (!(lifetimeMs >= 1000)) throw new RangeError('a certificate lives for at least a second');
  const begin = Math.floor((now?.getTime() ?? Date.now()) / 1000) * 1000;
  const latest = issuer?.notAfter.getTime() ?? Date.UTC(9999, 11, 31, 23, 59, 59);
  const end = Math.min(Math.floor((begin + lifetimeMs) / 1000) * 1000, latest);
  if (end <= begin) throw new SpiffeError('identity_expired', 'the authority has expired or is about to');
  return { notBefore: new Date(begin), notAfter: new Date(end) };
}

function readTrustDomain(certificate: Certificate): TrustDomain {
  const { uris, basicConstraints, keyUsage } = certificate;
  const isAuthority = basicConstraints?.ca === true && keyUsage?.usages.has('keyCertSign') === true;
  let id: SpiffeId | undefined;
  let cause: unknown;
  try {
    if (uris.length === 1) id = SpiffeId.parse(uris[0] ?? '');
  } catch (error) {
    cause = error;
  }
  if (id?.path !== '' || !isAuthority || !certificate.isSignedBy(certificate)) {
    throw new SpiffeError('certificate_invalid', 'the certificate is not the root of a trust domain', {
      cause,
    });
  }
  return id.trustDomain;
}
