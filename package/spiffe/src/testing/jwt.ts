import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { TrustDomain } from '../id/trust-domain.ts';
import { findJwtAlgorithm, signJws } from '../jwt/algorithm.ts';
import type { JwtAuthorityKey } from '../jwt/authority-key.ts';
import { writeBase64Url } from '../jwt/base64url.ts';
import { JwtBundle } from '../jwt/bundle.ts';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A key that the algorithm of this name is made for. */
export function keyFor(name: string): KeyPair {
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[name];
  if (curve !== undefined) return generateKeyPairSync('ec', { namedCurve: curve });
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export function authorityKey(
  keyId: string,
  { publicKey }: KeyPair,
  more: Record<string, string> = {},
): JwtAuthorityKey {
  const { kty = '', crv, x, y, n, e } = publicKey.export({ format: 'jwk' });
  const members = Object.entries({ kty, crv, x, y, n, e, ...more });
  return {
    keyId,
    jwk: Object.fromEntries(members.filter((entry): entry is [string, string] => entry[1] !== undefined)),
  };
}

export function bundleOf(trustDomain: string, keys: Readonly<Record<string, KeyPair>>): JwtBundle {
  const authorities = Object.entries(keys).map(([keyId, pair]) => authorityKey(keyId, pair));
  return JwtBundle.of(TrustDomain.parse(trustDomain), authorities);
}

/** The parts of a token to order, wrong ones above all; texts are taken as they are. */
export interface TokenDraft {
  readonly header: unknown;
  readonly claims: unknown;
}

/** Signs with the algorithm of this name, whatever the header says; an HMAC takes the public key as its secret. */
export function signToken({ header, claims }: TokenDraft, name: string, pair: KeyPair): string {
  const signed = [header, claims]
    .map((part) => writeBase64Url(typeof part === 'string' ? part : JSON.stringify(part)))
    .join('.');
  return `${signed}.${writeBase64Url(makeSignature(name, pair, Buffer.from(signed)))}`;
}

function makeSignature(name: string, { privateKey, publicKey }: KeyPair, signed: Uint8Array): Uint8Array {
  if (name.startsWith('HS')) {
    const secret = publicKey.export({ type: 'spki', format: 'pem' });
    return createHmac(`sha${name.slice(2)}`, secret)
      .update(signed)
      .digest();
  }
  const algorithm = findJwtAlgorithm(name);
  if (algorithm === undefined) throw new RangeError(`${name} signs nothing here`);
  return signJws(algorithm, privateKey, signed);
}
