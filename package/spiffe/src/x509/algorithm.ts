import { constants, verify, type KeyObject } from 'node:crypto';
import {
  DerReader,
  derTag,
  refuse,
  toBitOctets,
  toIntegerBytes,
  toOid,
  toSmallInteger,
} from './der-reader.ts';
import { oid } from './oid.ts';

export type KeyFamily = 'ec' | 'rsa' | 'ed25519';
type Hash = 'sha256' | 'sha384' | 'sha512';

/** A way to sign certificates; `undefined` in a Certificate stands for one that is not accepted (SHA-1, MD5, DSA …). */
export interface SignatureScheme {
  readonly family: KeyFamily;
  /** Ed25519 hashes by itself. */
  readonly hash?: Hash;
  readonly pss?: boolean;
}

const hashLength: Readonly<Record<Hash, number>> = { sha256: 32, sha384: 48, sha512: 64 };

const hashByOid = new Map<string, Hash>([
  [oid.sha256, 'sha256'],
  [oid.sha384, 'sha384'],
  [oid.sha512, 'sha512'],
]);

const schemeByOid = new Map<string, SignatureScheme>([
  [oid.ecdsaSha256, { family: 'ec', hash: 'sha256' }],
  [oid.ecdsaSha384, { family: 'ec', hash: 'sha384' }],
  [oid.ecdsaSha512, { family: 'ec', hash: 'sha512' }],
  [oid.rsaSha256, { family: 'rsa', hash: 'sha256' }],
  [oid.rsaSha384, { family: 'rsa', hash: 'sha384' }],
  [oid.rsaSha512, { family: 'rsa', hash: 'sha512' }],
  [oid.ed25519, { family: 'ed25519' }],
]);

/** Below is broken, above only costs time: verification of a huge modulus is a way to keep a server busy. */
const rsaBits = { least: 2048, most: 8192 } as const;

/** The scheme that an AlgorithmIdentifier names, or undefined when it is not an accepted one. */
export function readScheme(body: DerReader): SignatureScheme | undefined {
  const type = toOid(body.take(derTag.oid, 'the signature algorithm'));
  const parameters = body.done ? undefined : body.next();
  body.end('the signature algorithm');
  if (type === oid.rsaPss) {
    return parameters?.tag === derTag.sequence ? readPss(body.into(parameters)) : undefined;
  }
  const scheme = schemeByOid.get(type);
  if (scheme === undefined) return undefined;
  if (parameters !== undefined) {
    // RFC 4055 5: PKCS #1 v1.5 has NULL and readers accept none; the other schemes have no parameters.
    if (scheme.family !== 'rsa' || parameters.tag !== derTag.null || parameters.content.length !== 0)
      return undefined;
  }
  return scheme;
}

/** RSASSA-PSS-params with one SHA-2 for both hash and mask, and a salt as long as the hash (RFC 4055 3.1). */
function readPss(parameters: DerReader): SignatureScheme | undefined {
  const hash = readHash(parameters.enterOptional(0xa0));
  const mask = parameters.enterOptional(0xa1)?.enter(derTag.sequence, 'the mask function');
  const isMgf1 = mask !== undefined && toOid(mask.take(derTag.oid, 'the mask function')) === oid.mgf1;
  const maskHash = isMgf1 ? readHash(mask) : undefined;
  const saltLength = parameters.enterOptional(0xa2)?.take(derTag.integer, 'the salt length');
  if (!parameters.done || hash === undefined || maskHash !== hash || saltLength === undefined)
    return undefined;
  if (toSmallInteger(saltLength) !== hashLength[hash]) return undefined;
  return { family: 'rsa', hash, pss: true };
}

function readHash(wrapper: DerReader | undefined): Hash | undefined {
  const body = wrapper?.enter(derTag.sequence, 'the hash');
  return body === undefined ? undefined : hashByOid.get(toOid(body.take(derTag.oid, 'the hash')));
}

/** What a SubjectPublicKeyInfo holds; `undefined` when this kind or size of key is not accepted. */
export function readKeyFamily(spki: DerReader): KeyFamily | undefined {
  const algorithm = spki.enter(derTag.sequence, 'the algorithm of the public key');
  const type = toOid(algorithm.take(derTag.oid, 'the algorithm of the public key'));
  const parameters = algorithm.done ? undefined : algorithm.next();
  algorithm.end('the algorithm of the public key');
  const key = toBitOctets(spki.take(derTag.bitString, 'the public key'));
  spki.end('the public key');
  switch (type) {
    case oid.ecPublicKey: {
      if (parameters?.tag !== derTag.oid) return undefined;
      const curve = toOid(parameters);
      return curve === oid.p256 || curve === oid.p384 || curve === oid.p521 ? 'ec' : undefined;
    }
    case oid.rsaEncryption:
      return hasAcceptedModulus(new DerReader(key)) ? 'rsa' : undefined;
    case oid.ed25519:
      return parameters === undefined && key.length === 32 ? 'ed25519' : undefined;
    default:
      return undefined;
  }
}

function hasAcceptedModulus(key: DerReader): boolean {
  const body = key.enter(derTag.sequence, 'the RSA key');
  key.end('the RSA key');
  const modulus = toIntegerBytes(body.take(derTag.integer, 'the RSA modulus'));
  const exponent = toIntegerBytes(body.take(derTag.integer, 'the RSA exponent'));
  body.end('the RSA key');
  if ((modulus[0] ?? 0) >= 0x80 || (exponent[0] ?? 0) >= 0x80) refuse('the RSA key has a negative number');
  const digits = modulus[0] === 0 ? modulus.subarray(1) : modulus;
  const bits = digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24;
  const last = exponent[exponent.length - 1] ?? 0;
  const small = exponent.length === 1 && last < 3;
  return bits >= rsaBits.least && bits <= rsaBits.most && exponent.length <= 5 && last % 2 === 1 && !small;
}

/** True when `signature` over `signed` was made by `key`, with this scheme and no other. */
export function verifySignature(
  scheme: SignatureScheme,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (scheme.pss === true && scheme.hash !== undefined) {
    const saltLength = hashLength[scheme.hash];
    return verify(
      scheme.hash,
      signed,
      { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
      signature,
    );
  }
  return verify(scheme.hash ?? null, signed, key, signature);
}
