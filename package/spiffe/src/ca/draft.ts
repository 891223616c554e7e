import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto';
import { DerReader, derTag, toBitOctets } from '../x509/der-reader.ts';
import {
  writeBitOctets,
  writeElement,
  writeInteger,
  writeOid,
  writeSequence,
  writeSmallInteger,
  writeText,
  writeTime,
} from '../x509/der-writer.ts';
import { oid } from '../x509/oid.ts';

/** How a certificate is signed: the AlgorithmIdentifier that it names, and the making of the signature. */
export interface Signer {
  readonly algorithm: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** A certificate before it is signed, as DER parts; nothing about them is checked here. */
export interface CertificateDraft {
  readonly serialNumber: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKeyInfo: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

export function signDraft(draft: CertificateDraft, signer: Signer): Uint8Array {
  const signed = writeSignedPart(draft, signer.algorithm);
  return writeSequence(signed, signer.algorithm, writeBitOctets(signer.sign(signed)));
}

/** The TBSCertificate: everything that the signature covers. */
export function writeSignedPart(draft: CertificateDraft, algorithm: Uint8Array): Uint8Array {
  return writeSequence(
    writeElement(0xa0, writeSmallInteger(2)),
    writeInteger(draft.serialNumber),
    algorithm,
    draft.issuer,
    writeSequence(writeTime(draft.notBefore), writeTime(draft.notAfter)),
    draft.subject,
    draft.publicKeyInfo,
    ...(draft.extensions.length === 0 ? [] : [writeElement(0xa3, writeSequence(...draft.extensions))]),
  );
}

/** ECDSA over SHA-256, which is what this package's own authority signs with. */
export function createEcdsaSigner(privateKey: KeyObject): Signer {
  return {
    algorithm: writeSequence(writeOid(oid.ecdsaSha256)),
    sign: (message) => new Uint8Array(sign('sha256', message, privateKey)),
  };
}

/** 20 octets that are positive and not zero (RFC 5280 4.1.2.2), of which 158 bits are random. */
export function createSerialNumber(): Uint8Array {
  const serial = new Uint8Array(randomBytes(20));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** RFC 5280 4.2.1.2 (1): SHA-1 of the key's bits. A name for a key and no protection of anything. */
export function createKeyId(publicKeyInfo: Uint8Array): Uint8Array {
  const info = new DerReader(publicKeyInfo).enter(derTag.sequence, 'the public key');
  info.next();
  const bits = toBitOctets(info.take(derTag.bitString, 'the public key'));
  return new Uint8Array(createHash('sha1').update(bits).digest());
}

/** A name of one attribute per part, in this order. */
export function writeName(...attributes: readonly (readonly [type: string, text: string])[]): Uint8Array {
  return writeSequence(
    ...attributes.map(([type, text]) =>
      writeElement(
        derTag.set,
        // X.520 gives serialNumber a PrintableString; the others may be UTF-8.
        writeSequence(
          writeOid(type),
          writeText(type === oid.serialNumber ? derTag.printableString : derTag.utf8String, text),
        ),
      ),
    ),
  );
}
