import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  readKeyFamily,
  readScheme,
  verifySignature,
  type KeyFamily,
  type SignatureScheme,
} from './algorithm.ts';
import { DerReader, derTag, refuse, toBitOctets, toIntegerBytes, toTime } from './der-reader.ts';
import { DistinguishedName } from './distinguished-name.ts';
import {
  readExtensions,
  type BasicConstraints,
  type ExtensionSet,
  type ExtKeyUsage,
  type KeyUsage,
  type NameConstraints,
  type SubjectAltName,
} from './extension.ts';

/** Largest certificate that is looked at, in bytes. */
export const largestCertificate = 65_536;

/**
 * An X.509 certificate, read strictly and completely. It is what it says and no more: nothing here was verified,
 * and `verifyX509Svid` alone decides whether to believe it.
 */
export class Certificate {
  /** A copy of the encoding; treat it as read-only. */
  readonly der: Uint8Array;
  readonly serialNumber: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: Date;
  /** The last second at which the certificate is valid. */
  readonly notAfter: Date;
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKeyInfo: Uint8Array;
  /** Undefined for a kind or size of key that is not accepted. */
  readonly keyFamily: KeyFamily | undefined;
  /** Undefined for a scheme that is not accepted, SHA-1 among them. */
  readonly signatureScheme: SignatureScheme | undefined;
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: KeyUsage | undefined;
  readonly extKeyUsage: ExtKeyUsage | undefined;
  readonly subjectAltName: SubjectAltName | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  readonly unknownCritical: readonly string[];
  readonly #signed: Uint8Array;
  readonly #signature: Uint8Array;
  #publicKey: KeyObject | undefined;

  private constructor(der: Uint8Array) {
    const file = new DerReader(der);
    const outer = file.enter(derTag.sequence, 'the certificate');
    file.end('the certificate');
    const signed = outer.take(derTag.sequence, 'the signed part');
    const algorithm = outer.take(derTag.sequence, 'the signature algorithm');
    const signature = toBitOctets(outer.take(derTag.bitString, 'the signature'));
    outer.end('the certificate');

    const body = outer.into(signed);
    const version = readVersion(body);
    const serialNumber = toIntegerBytes(body.take(derTag.integer, 'the serial number'));
    // 20 octets (RFC 5280 4.1.2.2), and one more for authorities that forgot about the sign.
    if (serialNumber.length > 21 || (serialNumber[0] ?? 0) >= 0x80)
      refuse('the serial number is negative or too long');
    const inner = body.take(derTag.sequence, 'the signature algorithm inside of the signed part');
    if (Buffer.compare(inner.raw, algorithm.raw) !== 0) {
      refuse('the signature algorithms inside and outside of the signed part differ');
    }
    const issuer = DistinguishedName.read(body, 'the issuer');
    const validity = body.enter(derTag.sequence, 'the validity');
    const notBefore = toTime(validity.next());
    const notAfter = toTime(validity.next());
    validity.end('the validity');
    const subject = DistinguishedName.read(body, 'the subject');
    const key = body.take(derTag.sequence, 'the public key');
    body.takeOptional(0x81);
    body.takeOptional(0x82);
    const list = body.enterOptional(0xa3);
    if (list !== undefined && version !== 3) refuse('a certificate with extensions is of version 3');
    const extensions: ExtensionSet =
      list === undefined
        ? { unknownCritical: [] }
        : readExtensions(list.enter(derTag.sequence, 'the extensions'));
    list?.end('the extensions');
    body.end('the signed part');

    this.der = der;
    this.serialNumber = serialNumber;
    this.issuer = issuer;
    this.subject = subject;
    this.notBefore = notBefore;
    this.notAfter = notAfter;
    this.publicKeyInfo = key.raw;
    this.keyFamily = readKeyFamily(body.into(key));
    this.signatureScheme = readScheme(outer.into(algorithm));
    this.basicConstraints = extensions.basicConstraints;
    this.keyUsage = extensions.keyUsage;
    this.extKeyUsage = extensions.extKeyUsage;
    this.subjectAltName = extensions.subjectAltName;
    this.nameConstraints = extensions.nameConstraints;
    this.subjectKeyId = extensions.subjectKeyId;
    this.authorityKeyId = extensions.authorityKeyId;
    this.unknownCritical = extensions.unknownCritical;
    this.#signed = signed.raw;
    this.#signature = signature;
  }

  /** Reads exactly one certificate of at most 64 KiB; throws SpiffeError `certificate_invalid`. */
  static parse(der: Uint8Array): Certificate {
    if (der.length > largestCertificate) refuse(`the certificate is larger than ${largestCertificate} bytes`);
    return new Certificate(new Uint8Array(der));
  }

  /** Reads certificates that follow one another, as the Workload API sends them; at most `most` of them. */
  static parseAll(der: Uint8Array, most: number): readonly Certificate[] {
    const reader = new DerReader(der);
    const list: Certificate[] = [];
    while (!reader.done) {
      if (list.length >= most) refuse(`there are more than ${most} certificates`);
      list.push(Certificate.parse(reader.take(derTag.sequence, 'a certificate').raw));
    }
    return list;
  }

  /** The URIs of the subject's alternative names, in order. */
  get uris(): readonly string[] {
    return this.#texts('uri');
  }

  get dnsNames(): readonly string[] {
    return this.#texts('dns');
  }

  /** Throws SpiffeError `certificate_invalid` when the key is not a point of its curve, or not an accepted one. */
  get publicKey(): KeyObject {
    if (this.#publicKey !== undefined) return this.#publicKey;
    if (this.keyFamily === undefined) refuse('the public key is of a kind or size that is not accepted');
    try {
      this.#publicKey = createPublicKey({
        key: Buffer.from(this.publicKeyInfo),
        format: 'der',
        type: 'spki',
      });
    } catch (error) {
      refuse('the public key cannot be used', error);
    }
    return this.#publicKey;
  }

  /** True when `issuer`'s key made the signature of this certificate; says nothing about whether it was allowed to. */
  isSignedBy(issuer: Certificate): boolean {
    const scheme = this.signatureScheme;
    if (scheme === undefined || scheme.family !== issuer.keyFamily) return false;
    try {
      return verifySignature(scheme, issuer.publicKey, this.#signed, this.#signature);
    } catch {
      return false;
    }
  }

  equals(other: Certificate): boolean {
    return this === other || Buffer.compare(this.der, other.der) === 0;
  }

  #texts(kind: 'uri' | 'dns'): readonly string[] {
    return (this.subjectAltName?.names ?? []).flatMap((name) => (name.kind === kind ? [name.text] : []));
  }
}

function readVersion(body: DerReader): number {
  const explicit = body.enterOptional(0xa0);
  if (explicit === undefined) return 1;
  const value = toIntegerBytes(explicit.take(derTag.integer, 'the version'));
  explicit.end('the version');
  if (value.length !== 1 || (value[0] !== 1 && value[0] !== 2)) refuse('the version does not exist');
  return value[0] + 1;
}
