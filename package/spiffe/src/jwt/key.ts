import { createPublicKey, type KeyObject } from 'node:crypto';
import type { JwtAuthorityKey } from './authority-key.ts';
import type { JwtAlgorithm } from './algorithm.ts';
import { readBase64Url } from './base64url.ts';

const curves = new Set(['P-256', 'P-384', 'P-521']);
/** As for certificates: below is broken, above only costs time. */
const rsaBits = { least: 2048, most: 8192 } as const;

/** A public key that verifies JWT-SVIDs of one trust domain. */
export class JwtKey {
  readonly keyId: string;
  readonly #publicKey: KeyObject;
  readonly #kind: string;
  readonly #curve: string | undefined;
  /** What its owner says that it is for, if he does (RFC 7517 4.4). */
  readonly #algorithm: string | undefined;

  private constructor(keyId: string, publicKey: KeyObject, jwk: JwtAuthorityKey['jwk']) {
    const { kty, crv, alg } = jwk;
    this.keyId = keyId;
    this.#publicKey = publicKey;
    this.#kind = String(kty);
    this.#curve = kty === 'EC' ? String(crv) : undefined;
    this.#algorithm = typeof alg === 'string' ? alg : undefined;
  }

  /** Undefined for a key of a kind, curve or size that no JWT-SVID is signed with, and for one that is malformed. */
  static read({ keyId, jwk }: JwtAuthorityKey): JwtKey | undefined {
    const operations = jwk['key_ops'];
    if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
      return undefined;
    const publicPart = readPublicPart(jwk);
    if (publicPart === undefined) return undefined;
    try {
      const key = createPublicKey({ key: publicPart, format: 'jwk' });
      return isAcceptable(key) ? new JwtKey(keyId, key, jwk) : undefined;
    } catch {
      return undefined;
    }
  }

  get publicKey(): KeyObject {
    return this.#publicKey;
  }

  /** Whether signatures of this algorithm may be this key's: an HMAC, or another curve, never. */
  fits(name: string, { kind, curve }: JwtAlgorithm): boolean {
    const isMeant = this.#algorithm === undefined || this.#algorithm === name;
    return isMeant && kind === this.#kind && curve === this.#curve;
  }

  equals(other: JwtKey): boolean {
    return (
      this.keyId === other.keyId &&
      this.#algorithm === other.#algorithm &&
      this.#publicKey.equals(other.#publicKey)
    );
  }
}

/** The members that make the public key, and no others: whatever else is in a JWK does not get to OpenSSL. */
function readPublicPart(jwk: JwtAuthorityKey['jwk']): Record<string, string> | undefined {
  const { kty, crv, x, y, n, e } = jwk;
  if (kty === 'EC' && typeof crv === 'string' && curves.has(crv) && isNumber(x) && isNumber(y))
    return { kty, crv, x, y };
  if (kty === 'RSA' && isNumber(n) && isNumber(e)) return { kty, n, e };
  return undefined;
}

function isNumber(value: string | readonly string[] | undefined): value is string {
  return typeof value === 'string' && value !== '' && readBase64Url(value) !== undefined;
}

function isAcceptable(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return true;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const isOdd = publicExponent % 2n === 1n;
  return modulusLength >= rsaBits.least && modulusLength <= rsaBits.most && publicExponent >= 3n && isOdd;
}
