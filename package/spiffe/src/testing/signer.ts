import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { Signer } from '../ca/draft.ts';
import { derTag } from '../x509/der-reader.ts';
import { writeElement, writeOid, writeSequence, writeSmallInteger } from '../x509/der-writer.ts';
import { oid } from '../x509/oid.ts';

/** Keys that are accepted, and keys that are not: secp256k1 and RSA of 1024 bits. */
export type KeyType = 'p256' | 'p384' | 'p521' | 'secp256k1' | 'rsa1024' | 'rsa2048' | 'ed25519';

/** Signatures that are accepted, and those over SHA-1 and MD5, and PSS with a salt that is too short. */
export type SignatureType =
  | 'ecdsa-sha1'
  | 'ecdsa-sha256'
  | 'ecdsa-sha384'
  | 'ecdsa-sha512'
  | 'rsa-md5'
  | 'rsa-sha1'
  | 'rsa-sha256'
  | 'rsa-sha384'
  | 'rsa-sha512'
  | 'pss-sha256'
  | 'pss-sha512'
  | 'pss-short-salt'
  | 'ed25519';

export function generateKey(type: KeyType): {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
} {
  switch (type) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'p521':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'secp256k1':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    case 'rsa1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 });
    case 'rsa2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
  }
}

export function defaultSignature(key: KeyObject): SignatureType {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  return key.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ecdsa-sha256';
}

const nothing = writeElement(derTag.null);

const algorithms: Readonly<Record<SignatureType, { hash: string | null; der: Uint8Array; salt?: number }>> = {
  'ecdsa-sha1': { hash: 'sha1', der: writeSequence(writeOid(oid.ecdsaSha1)) },
  'ecdsa-sha256': { hash: 'sha256', der: writeSequence(writeOid(oid.ecdsaSha256)) },
  'ecdsa-sha384': { hash: 'sha384', der: writeSequence(writeOid(oid.ecdsaSha384)) },
  'ecdsa-sha512': { hash: 'sha512', der: writeSequence(writeOid(oid.ecdsaSha512)) },
  'rsa-md5': { hash: 'md5', der: writeSequence(writeOid(oid.rsaMd5), nothing) },
  'rsa-sha1': { hash: 'sha1', der: writeSequence(writeOid(oid.rsaSha1), nothing) },
  'rsa-sha256': { hash: 'sha256', der: writeSequence(writeOid(oid.rsaSha256), nothing) },
  'rsa-sha384': { hash: 'sha384', der: writeSequence(writeOid(oid.rsaSha384), nothing) },
  'rsa-sha512': { hash: 'sha512', der: writeSequence(writeOid(oid.rsaSha512), nothing) },
  'pss-sha256': { hash: 'sha256', der: writePss(oid.sha256, 32), salt: 32 },
  'pss-sha512': { hash: 'sha512', der: writePss(oid.sha512, 64), salt: 64 },
  'pss-short-salt': { hash: 'sha256', der: writePss(oid.sha256, 8), salt: 8 },
  ed25519: { hash: null, der: writeSequence(writeOid(oid.ed25519)) },
};

function writePss(hash: string, salt: number): Uint8Array {
  const hashAlgorithm = writeSequence(writeOid(hash), nothing);
  const parameters = writeSequence(
    writeElement(0xa0, hashAlgorithm),
    writeElement(0xa1, writeSequence(writeOid(oid.mgf1), hashAlgorithm)),
    writeElement(0xa2, writeSmallInteger(salt)),
  );
  return writeSequence(writeOid(oid.rsaPss), parameters);
}

export function createSigner(type: SignatureType, privateKey: KeyObject): Signer {
  const { hash, der, salt } = algorithms[type];
  const padding = {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    ...(salt && { saltLength: salt }),
  };
  return {
    algorithm: der,
    sign: (message) => new Uint8Array(sign(hash, message, salt === undefined ? privateKey : padding)),
  };
}
