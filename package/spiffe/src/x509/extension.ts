import {
  DerReader,
  derTag,
  refuse,
  toBitString,
  toBoolean,
  toOid,
  toSmallInteger,
  type DerElement,
} from './der-reader.ts';
import { readGeneralName, type GeneralName } from './general-name.ts';
import { oid } from './oid.ts';

/** More extensions than any certificate has; bounds what a hostile one can make us keep. */
const mostExtensions = 64;

export interface BasicConstraints {
  readonly critical: boolean;
  readonly ca: boolean;
  readonly pathLength?: number;
}

/** Bit numbers of RFC 5280 4.2.1.3. */
export const keyUsageBit = {
  digitalSignature: 0,
  contentCommitment: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
  encipherOnly: 7,
  decipherOnly: 8,
} as const;
export type KeyUsageName = keyof typeof keyUsageBit;

export interface KeyUsage {
  readonly critical: boolean;
  readonly usages: ReadonlySet<KeyUsageName>;
}

export interface ExtKeyUsage {
  readonly critical: boolean;
  readonly purposes: ReadonlySet<string>;
}

export interface SubjectAltName {
  readonly critical: boolean;
  readonly names: readonly GeneralName[];
}

export interface NameConstraints {
  readonly critical: boolean;
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

export interface ExtensionSet {
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: KeyUsage;
  readonly extKeyUsage?: ExtKeyUsage;
  readonly subjectAltName?: SubjectAltName;
  readonly nameConstraints?: NameConstraints;
  readonly subjectKeyId?: Uint8Array;
  readonly authorityKeyId?: Uint8Array;
  /** OIDs of extensions that are critical and that this package does not know: such a certificate is never used. */
  readonly unknownCritical: readonly string[];
}

/** Reads the Extensions of a certificate. One that occurs twice is refused (RFC 5280 4.2). */
export function readExtensions(list: DerReader): ExtensionSet {
  const seen = new Set<string>();
  const unknownCritical: string[] = [];
  const found: { -readonly [K in keyof ExtensionSet]: ExtensionSet[K] } = { unknownCritical };
  if (list.done) refuse('the list of extensions is empty');
  while (!list.done) {
    const extension = list.enter(derTag.sequence, 'an extension');
    const type = toOid(extension.take(derTag.oid, 'the type of an extension'));
    const flag = extension.takeOptional(derTag.boolean);
    const critical = flag !== undefined && toBoolean(flag);
    const value = extension.into(extension.take(derTag.octetString, 'the value of an extension'));
    extension.end('an extension');
    if (seen.has(type)) refuse(`the extension ${type} occurs twice`);
    seen.add(type);
    if (seen.size > mostExtensions) refuse('there are too many extensions');
    switch (type) {
      case oid.basicConstraints:
        found.basicConstraints = readBasicConstraints(value, critical);
        break;
      case oid.keyUsage:
        found.keyUsage = readKeyUsage(value, critical);
        break;
      case oid.extKeyUsage:
        found.extKeyUsage = readExtKeyUsage(value, critical);
        break;
      case oid.subjectAltName:
        found.subjectAltName = readSubjectAltName(value, critical);
        break;
      case oid.nameConstraints:
        found.nameConstraints = readNameConstraints(value, critical);
        break;
      case oid.subjectKeyIdentifier:
        found.subjectKeyId = value.take(derTag.octetString, 'the key identifier').content;
        break;
      case oid.authorityKeyIdentifier: {
        const keyId = readAuthorityKeyId(value);
        if (keyId !== undefined) found.authorityKeyId = keyId;
        break;
      }
      default:
        if (critical) unknownCritical.push(type);
        continue;
    }
    value.end(`the extension ${type}`);
  }
  return found;
}

function readBasicConstraints(value: DerReader, critical: boolean): BasicConstraints {
  const body = value.enter(derTag.sequence, 'basicConstraints');
  const flag = body.takeOptional(derTag.boolean);
  const length = body.takeOptional(derTag.integer);
  body.end('basicConstraints');
  const ca = flag !== undefined && toBoolean(flag);
  if (length === undefined) return { critical, ca };
  if (!ca) refuse('basicConstraints gives a path length to what is not an authority');
  return { critical, ca, pathLength: toSmallInteger(length) };
}

function readKeyUsage(value: DerReader, critical: boolean): KeyUsage {
  const { bytes, unused } = toBitString(value.take(derTag.bitString, 'keyUsage'));
  const size = bytes.length * 8 - unused;
  if (size > 16) refuse('keyUsage has more bits than there are usages');
  const usages = new Set<KeyUsageName>();
  for (const [name, bit] of Object.entries(keyUsageBit) as [KeyUsageName, number][]) {
    if (bit < size && ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) usages.add(name);
  }
  return { critical, usages };
}

function readExtKeyUsage(value: DerReader, critical: boolean): ExtKeyUsage {
  const body = value.enter(derTag.sequence, 'extKeyUsage');
  const purposes = new Set<string>();
  while (!body.done) purposes.add(toOid(body.take(derTag.oid, 'a purpose')));
  if (purposes.size === 0) refuse('extKeyUsage is empty');
  return { critical, purposes };
}

function readSubjectAltName(value: DerReader, critical: boolean): SubjectAltName {
  const body = value.enter(derTag.sequence, 'subjectAltName');
  const names: GeneralName[] = [];
  while (!body.done) {
    const name = readGeneralName(body);
    if (name.kind === 'ip' && name.bytes.length !== 4 && name.bytes.length !== 16)
      refuse('an IP address is malformed');
    names.push(name);
  }
  if (names.length === 0) refuse('subjectAltName is empty');
  return { critical, names };
}

function readNameConstraints(value: DerReader, critical: boolean): NameConstraints {
  const body = value.enter(derTag.sequence, 'nameConstraints');
  const permitted = readSubtrees(body.enterOptional(0xa0));
  const excluded = readSubtrees(body.enterOptional(0xa1));
  body.end('nameConstraints');
  if (permitted === undefined && excluded === undefined) refuse('nameConstraints is empty');
  return { critical, permitted: permitted ?? [], excluded: excluded ?? [] };
}

function readSubtrees(list: DerReader | undefined): readonly GeneralName[] | undefined {
  if (list === undefined) return undefined;
  const names: GeneralName[] = [];
  while (!list.done) {
    const subtree = list.enter(derTag.sequence, 'a name constraint');
    names.push(readGeneralName(subtree));
    // RFC 5280 4.2.1.10: minimum is zero, which DER leaves out, and maximum is absent.
    subtree.end('a name constraint');
  }
  if (names.length === 0) refuse('a list of name constraints is empty');
  return names;
}

function readAuthorityKeyId(value: DerReader): Uint8Array | undefined {
  const body = value.enter(derTag.sequence, 'authorityKeyIdentifier');
  const keyId: DerElement | undefined = body.takeOptional(0x80);
  body.takeOptional(0xa1);
  body.takeOptional(0x82);
  body.end('authorityKeyIdentifier');
  return keyId?.content;
}
