import {
  writeBits,
  writeBoolean,
  writeElement,
  writeOctets,
  writeOid,
  writeSequence,
  writeSmallInteger,
} from '../x509/der-writer.ts';
import { keyUsageBit, type KeyUsageName } from '../x509/extension.ts';
import { oid } from '../x509/oid.ts';

/** One Extension; `critical` false is the default, which DER leaves out. */
export function writeExtension(type: string, critical: boolean, value: Uint8Array): Uint8Array {
  return writeSequence(writeOid(type), ...(critical ? [writeBoolean(true)] : []), writeOctets(value));
}

export function writeBasicConstraints(ca: boolean, pathLength?: number): Uint8Array {
  const length = pathLength === undefined ? [] : [writeSmallInteger(pathLength)];
  return writeExtension(
    oid.basicConstraints,
    true,
    writeSequence(...(ca ? [writeBoolean(true)] : []), ...length),
  );
}

export function writeKeyUsage(...usages: readonly KeyUsageName[]): Uint8Array {
  return writeExtension(oid.keyUsage, true, writeBits(usages.map((usage) => keyUsageBit[usage])));
}

export function writeExtKeyUsage(...purposes: readonly string[]): Uint8Array {
  return writeExtension(oid.extKeyUsage, false, writeSequence(...purposes.map(writeOid)));
}

/** Names are GeneralNames, made by the functions below. */
export function writeSubjectAltName(critical: boolean, ...names: readonly Uint8Array[]): Uint8Array {
  return writeExtension(oid.subjectAltName, critical, writeSequence(...names));
}

export function writeUriName(uri: string): Uint8Array {
  return writeElement(0x86, Buffer.from(uri, 'utf8'));
}

export function writeDnsName(name: string): Uint8Array {
  return writeElement(0x82, Buffer.from(name, 'utf8'));
}

export function writeSubjectKeyId(keyId: Uint8Array): Uint8Array {
  return writeExtension(oid.subjectKeyIdentifier, false, writeOctets(keyId));
}

export function writeAuthorityKeyId(keyId: Uint8Array): Uint8Array {
  return writeExtension(oid.authorityKeyIdentifier, false, writeSequence(writeElement(0x80, keyId)));
}
