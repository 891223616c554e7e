import { TrustDomain } from '../id/trust-domain.ts';
import { checkKeyIds, readAuthorityKey, toAuthorityJwk, type JwtAuthorityKey } from '../jwt/authority-key.ts';
import { JwtBundle } from '../jwt/bundle.ts';
import { X509Bundle, readAs } from '../x509/bundle.ts';
import { Certificate } from '../x509/certificate.ts';
import { fromBase64 } from '../x509/pem.ts';
import { isJwkFor } from '../jwk.ts';
import { parseJsonObject, refuse, type JsonObject } from '../json.ts';

const use = 'x509-svid';
const largestSequence = (1n << 64n) - 1n;

export interface SpiffeBundleOptions {
  readonly x509Authorities?: readonly Certificate[];
  readonly jwtAuthorities?: readonly JwtAuthorityKey[];
  /** Grows with every change of the content; 64 bits. */
  readonly sequence?: bigint;
  /** How often to ask for a newer one, in seconds. */
  readonly refreshHintSec?: number;
}

/** A trust domain's bundle in the SPIFFE bundle format, a JWK set (SPIFFE Trust Domain and Bundle 4). */
export class SpiffeBundle {
  readonly trustDomain: TrustDomain;
  readonly x509Authorities: readonly Certificate[];
  readonly jwtAuthorities: readonly JwtAuthorityKey[];
  readonly sequence: bigint | undefined;
  readonly refreshHintSec: number | undefined;

  /** Throws SpiffeError `bundle_invalid` for key identifiers that are empty or not unique, and numbers out of range. */
  constructor(trustDomain: TrustDomain, options: SpiffeBundleOptions) {
    const { x509Authorities = [], jwtAuthorities = [], sequence, refreshHintSec } = options;
    checkKeyIds(jwtAuthorities);
    if (sequence !== undefined && (sequence < 0n || sequence > largestSequence))
      refuse('the sequence has not 64 bits');
    if (refreshHintSec !== undefined && !(Number.isSafeInteger(refreshHintSec) && refreshHintSec >= 0)) {
      refuse('the refresh hint is not a number of seconds');
    }
    this.trustDomain = trustDomain;
    this.x509Authorities = x509Authorities;
    this.jwtAuthorities = jwtAuthorities;
    this.sequence = sequence;
    this.refreshHintSec = refreshHintSec;
  }

  /** Reads one bundle; what it does not understand in it is left out (B-2, B-7). Throws SpiffeError `bundle_invalid`. */
  static parse(trustDomain: TrustDomain, text: string): SpiffeBundle {
    return SpiffeBundle.fromJson(trustDomain, parseJsonObject(text));
  }

  /** The same from a part of a document that `parseJsonObject` has read. */
  static fromJson(trustDomain: TrustDomain, document: JsonObject): SpiffeBundle {
    const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: refreshHint } = document;
    if (!Array.isArray(keys)) refuse('the bundle has no list of keys');
    if (sequence !== undefined && typeof sequence !== 'bigint')
      refuse('the sequence is not an integer of 64 bits');
    if (refreshHint !== undefined && typeof refreshHint !== 'number')
      refuse('the refresh hint is not a number');
    const x509Authorities: Certificate[] = [];
    const jwtAuthorities: JwtAuthorityKey[] = [];
    for (const key of keys as unknown[]) {
      const certificate = readCertificate(key);
      if (certificate !== undefined) x509Authorities.push(certificate);
      const authority = readAuthorityKey(key);
      if (authority !== undefined) jwtAuthorities.push(authority);
    }
    return new SpiffeBundle(trustDomain, {
      x509Authorities,
      jwtAuthorities,
      ...(sequence === undefined ? {} : { sequence }),
      ...(refreshHint === undefined ? {} : { refreshHintSec: refreshHint }),
    });
  }

  /** The part that X.509-SVIDs are verified with. */
  x509Bundle(): X509Bundle {
    return X509Bundle.of(this.trustDomain, this.x509Authorities);
  }

  /** The part that JWT-SVIDs are verified with. */
  jwtBundle(): JwtBundle {
    return JwtBundle.of(this.trustDomain, this.jwtAuthorities);
  }

  /** The document to publish: JSON that gives the same bundle when it is parsed. */
  marshal(): string {
    const keys = [...this.x509Authorities.map(toJwk), ...this.jwtAuthorities.map(toAuthorityJwk)];
    const members = [`"keys":${JSON.stringify(keys)}`];
    // By hand, since JSON.stringify has no bigint.
    if (this.sequence !== undefined) members.push(`"spiffe_sequence":${this.sequence}`);
    if (this.refreshHintSec !== undefined) members.push(`"spiffe_refresh_hint":${this.refreshHintSec}`);
    return `{${members.join(',')}}`;
  }
}

/** B-3: the first of `x5c` and no other; an entry without one is ignored, one that cannot be read is not. */
function readCertificate(key: unknown): Certificate | undefined {
  if (!isJwkFor(use, key)) return undefined;
  const { x5c } = key;
  if (x5c === undefined || (Array.isArray(x5c) && x5c.length === 0)) return undefined;
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof first !== 'string') refuse('a certificate of the bundle is not a text');
  return readAs('bundle_invalid', () => Certificate.parse(fromBase64(first)));
}

/** B-3: without `kid`, which says of a key that it is for JWTs. */
function toJwk(authority: Certificate): object {
  const { kty, crv, x, y, n, e } = authority.publicKey.export({ format: 'jwk' });
  const x5c = [Buffer.from(authority.der).toString('base64')];
  return { use, kty, crv, x, y, n, e, x5c };
}
