import { constants, sign, verify, type KeyObject } from 'node:crypto';

/** One row of JWT-SVID 2.1. A key belongs to an algorithm by its kind and, for ECDSA, by its curve. */
export interface JwtAlgorithm {
  readonly kind: 'EC' | 'RSA';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly curve?: string;
  /** Of an ECDSA signature, which is two numbers of fixed length (RFC 7518 3.4). */
  readonly signatureBytes?: number;
  /** RSASSA-PSS, with a salt as long as the hash (RFC 7518 3.5). */
  readonly saltBytes?: number;
}

const algorithms: ReadonlyMap<string, JwtAlgorithm> = new Map([
  ['RS256', { kind: 'RSA', hash: 'sha256' }],
  ['RS384', { kind: 'RSA', hash: 'sha384' }],
  ['RS512', { kind: 'RSA', hash: 'sha512' }],
  ['ES256', { kind: 'EC', hash: 'sha256', curve: 'P-256', signatureBytes: 64 }],
  ['ES384', { kind: 'EC', hash: 'sha384', curve: 'P-384', signatureBytes: 96 }],
  ['ES512', { kind: 'EC', hash: 'sha512', curve: 'P-521', signatureBytes: 132 }],
  ['PS256', { kind: 'RSA', hash: 'sha256', saltBytes: 32 }],
  ['PS384', { kind: 'RSA', hash: 'sha384', saltBytes: 48 }],
  ['PS512', { kind: 'RSA', hash: 'sha512', saltBytes: 64 }],
]);

/** Undefined for everything else, `none` and the HMACs first of all. */
export function findJwtAlgorithm(name: string): JwtAlgorithm | undefined {
  return algorithms.get(name);
}

export function verifyJws(
  algorithm: JwtAlgorithm,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm.signatureBytes !== undefined && signature.length !== algorithm.signatureBytes) return false;
  return verify(algorithm.hash, signed, keyInput(algorithm, key), signature);
}

export function signJws(algorithm: JwtAlgorithm, key: KeyObject, signed: Uint8Array): Uint8Array {
  return new Uint8Array(sign(algorithm.hash, signed, keyInput(algorithm, key)));
}

function keyInput({ kind, saltBytes }: JwtAlgorithm, key: KeyObject) {
  if (kind === 'EC') return { key, dsaEncoding: 'ieee-p1363' } as const;
  if (saltBytes === undefined) return { key, padding: constants.RSA_PKCS1_PADDING };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: saltBytes };
}
