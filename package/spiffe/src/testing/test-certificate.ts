import { createPublicKey, type KeyObject } from 'node:crypto';
import { createKeyId, createSerialNumber, writeName, writeSignedPart } from '../ca/draft.ts';
import {
  writeAuthorityKeyId,
  writeBasicConstraints,
  writeExtension,
  writeExtKeyUsage,
  writeKeyUsage,
  writeSubjectAltName,
  writeSubjectKeyId,
  writeUriName,
} from '../ca/extension.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { Certificate } from '../x509/certificate.ts';
import { writeBitOctets, writeElement, writeSequence } from '../x509/der-writer.ts';
import type { KeyUsageName } from '../x509/extension.ts';
import { oid } from '../x509/oid.ts';
import { toPem } from '../x509/pem.ts';
import { createSigner, defaultSignature, generateKey, type KeyType, type SignatureType } from './signer.ts';

/** What a certificate of a test says. What is absent is as a correct SVID or authority would have it. */
export interface TestCertificateOptions {
  /** Common name, or the DER of a whole name. */
  readonly subject?: string | Uint8Array;
  readonly uris?: readonly string[];
  /** More GeneralNames, as DER. */
  readonly names?: readonly Uint8Array[];
  readonly subjectAltNameCritical?: boolean;
  /** null leaves basicConstraints out. */
  readonly ca?: boolean | null;
  readonly pathLength?: number;
  /** null leaves keyUsage out. */
  readonly keyUsage?: readonly KeyUsageName[] | null;
  /** null leaves extKeyUsage out. */
  readonly extKeyUsage?: readonly string[] | null;
  /** GeneralNames as DER. */
  readonly permitted?: readonly Uint8Array[];
  readonly excluded?: readonly Uint8Array[];
  /** More Extensions, as DER. */
  readonly extensions?: readonly Uint8Array[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly key?: KeyType;
  /** Takes this key, public half included, instead of a new one. */
  readonly privateKey?: KeyObject;
  /** Signs with this scheme instead of the usual one of the issuer's key. */
  readonly signature?: SignatureType;
  /** Names this scheme outside of the signed part, where the two must agree. */
  readonly outerSignature?: SignatureType;
  /** Leaves out the identifiers of keys, which are only hints. */
  readonly keyIds?: boolean;
  /** Changes a bit of the signature. */
  readonly breakSignature?: boolean;
}

const hour = 3_600_000;

/**
 * A certificate with its key and the chain below its root, made to order: anything may issue anything, a leaf
 * included. For tests of verifiers only; a real authority is `CertificateAuthority`.
 */
export class TestCertificate {
  readonly der: Uint8Array;
  readonly privateKey: KeyObject;
  /** What a peer would send: this one first, without the root. */
  readonly chain: readonly Uint8Array[];
  readonly #publicKeyInfo: Uint8Array;
  readonly #subject: Uint8Array;

  private constructor(
    options: TestCertificateOptions,
    isAuthority: boolean,
    issuer: TestCertificate | undefined,
  ) {
    const privateKey = options.privateKey ?? generateKey(options.key ?? 'p256').privateKey;
    const publicKey = createPublicKey(privateKey);
    this.privateKey = privateKey;
    this.#publicKeyInfo = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    this.#subject = toName(options.subject ?? (isAuthority ? `authority ${createSerialHex()}` : 'workload'));
    const signing = issuer ?? this;
    const now = Date.now();
    const signature = options.signature ?? defaultSignature(signing.privateKey);
    const signer = createSigner(signature, signing.privateKey);
    const signed = writeSignedPart(
      {
        serialNumber: createSerialNumber(),
        issuer: signing.#subject,
        subject: this.#subject,
        notBefore: options.notBefore ?? new Date(now - hour),
        notAfter: options.notAfter ?? new Date(now + hour),
        publicKeyInfo: this.#publicKeyInfo,
        extensions: writeExtensions(options, isAuthority, this.#publicKeyInfo, signing.#publicKeyInfo),
      },
      signer.algorithm,
    );
    const value = signer.sign(signed);
    if (options.breakSignature === true) value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    const outer = createSigner(options.outerSignature ?? signature, signing.privateKey).algorithm;
    this.der = writeSequence(signed, outer, writeBitOctets(value));
    this.chain = issuer === undefined ? [] : [this.der, ...issuer.chain];
  }

  static root(options: TestCertificateOptions = {}): TestCertificate {
    return new TestCertificate(options, true, undefined);
  }

  /** An authority below this one. */
  authority(options: TestCertificateOptions = {}): TestCertificate {
    return new TestCertificate(options, true, this);
  }

  leaf(uri: string, options: TestCertificateOptions = {}): TestCertificate {
    return new TestCertificate({ uris: [uri], ...options }, false, this);
  }

  /** The DER of a name made of one common name, as `subject` would be. */
  get subject(): Uint8Array {
    return this.#subject;
  }

  /** Throws what `Certificate.parse` throws. */
  parseChain(): readonly Certificate[] {
    return this.chain.map((der) => Certificate.parse(der));
  }

  /** A bundle of this certificate and others for a trust domain, alone in a set. */
  bundles(trustDomain: string, ...others: readonly TestCertificate[]): X509BundleSet {
    const authorities = [this, ...others].map(({ der }) => Certificate.parse(der));
    return X509BundleSet.of(X509Bundle.of(TrustDomain.parse(trustDomain), authorities));
  }

  /** What `tls.connect` takes. */
  toPem(): { readonly cert: string; readonly key: string } {
    const cert = this.chain.map((der) => toPem('CERTIFICATE', der)).join('');
    return { cert, key: this.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }
}

function writeExtensions(
  options: TestCertificateOptions,
  isAuthority: boolean,
  key: Uint8Array,
  issuerKey: Uint8Array,
): readonly Uint8Array[] {
  const list: Uint8Array[] = [];
  const ca = options.ca === undefined ? isAuthority : options.ca;
  if (ca !== null) list.push(writeBasicConstraints(ca, options.pathLength));
  const usage =
    options.keyUsage === undefined
      ? ([isAuthority ? 'keyCertSign' : 'digitalSignature'] as const)
      : options.keyUsage;
  if (usage !== null) list.push(writeKeyUsage(...usage));
  const purposes =
    options.extKeyUsage === undefined && !isAuthority
      ? [oid.serverAuth, oid.clientAuth]
      : options.extKeyUsage;
  if (purposes !== null && purposes !== undefined) list.push(writeExtKeyUsage(...purposes));
  const names = [...(options.uris ?? []).map(writeUriName), ...(options.names ?? [])];
  if (names.length > 0) list.push(writeSubjectAltName(options.subjectAltNameCritical ?? false, ...names));
  if (options.permitted !== undefined || options.excluded !== undefined) {
    list.push(writeNameConstraints(options.permitted ?? [], options.excluded ?? []));
  }
  if (options.keyIds !== false) {
    list.push(writeSubjectKeyId(createKeyId(key)), writeAuthorityKeyId(createKeyId(issuerKey)));
  }
  return [...list, ...(options.extensions ?? [])];
}

function writeNameConstraints(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[]): Uint8Array {
  const subtrees = (tag: number, names: readonly Uint8Array[]) =>
    names.length === 0 ? [] : [writeElement(tag, ...names.map((name) => writeSequence(name)))];
  const value = writeSequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));
  return writeExtension(oid.nameConstraints, true, value);
}

function toName(subject: string | Uint8Array): Uint8Array {
  return typeof subject === 'string' ? writeName([oid.commonName, subject]) : subject;
}

function createSerialHex(): string {
  return Buffer.from(createSerialNumber().subarray(0, 6)).toString('hex');
}
