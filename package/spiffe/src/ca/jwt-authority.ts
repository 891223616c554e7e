import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { JwtAuthorityKey } from '../jwt/authority-key.ts';
import { SpiffeError } from '../error.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import { findJwtAlgorithm, signJws } from '../jwt/algorithm.ts';
import { writeBase64Url } from '../jwt/base64url.ts';
import { JwtBundle } from '../jwt/bundle.ts';
import { JwtSvid } from '../jwt/svid.ts';

const algorithmName = 'ES256';
/** Of a token, in milliseconds: SPIRE's own default, and the most that an authority ever issues. */
const defaultLifetimeMs = 300_000;
const longestLifetimeMs = 86_400_000;

/** A key on its way: published before it signs, then signing, then published for as long as what it signed is valid. */
export interface JwtSigningKey {
  /** PKCS #8 as PEM: whoever reads this text can make every token of the trust domain. */
  readonly privateKeyPem: string;
  /** From when on it signs; undefined while it is only published. */
  readonly activatedAt?: Date;
  /** From when on it does not sign any more. */
  readonly retiredAt?: Date;
}

export interface JwtSvidRequest {
  readonly id: SpiffeId;
  /** At least one, none of them empty. */
  readonly audience: readonly string[];
  /** Five minutes when absent, a day at most. */
  readonly lifetimeMs?: number;
  readonly hint?: string;
  readonly now?: Date;
}

interface HeldKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly activatedAt: Date | undefined;
  readonly retiredAt: Date | undefined;
}

/**
 * Signs the JWT-SVIDs of one trust domain, ES256. It has at least two keys: the one that signs and the one that will,
 * so that a verifier has a key before it meets a token of it (Federation 4.1). Where they are kept is for its owner to
 * decide, and so is who gets which token.
 */
export class JwtAuthority {
  readonly trustDomain: TrustDomain;
  #keys: readonly HeldKey[];

  private constructor(trustDomain: TrustDomain, keys: readonly HeldKey[]) {
    this.trustDomain = trustDomain;
    this.#keys = keys;
  }

  static create(trustDomain: TrustDomain, now = new Date()): JwtAuthority {
    return new JwtAuthority(trustDomain, [createKey(now), createKey(undefined)]);
  }

  /** What `export` gave. Throws SpiffeError `key_invalid` when it is not one signing key, one for later, and old ones. */
  static load(trustDomain: TrustDomain, keys: readonly JwtSigningKey[]): JwtAuthority {
    const held = keys.map(readKey);
    const active = held.filter((key) => key.activatedAt !== undefined && key.retiredAt === undefined);
    const next = held.filter((key) => key.activatedAt === undefined && key.retiredAt === undefined);
    if (
      active.length !== 1 ||
      next.length !== 1 ||
      new Set(held.map(({ keyId }) => keyId)).size !== held.length
    )
      throw new SpiffeError('key_invalid', 'these are not the keys of one JWT authority');
    return new JwtAuthority(trustDomain, held);
  }

  /** Key material. */
  export(): readonly JwtSigningKey[] {
    return this.#keys.map(({ privateKey, activatedAt, retiredAt }) => ({
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ...(activatedAt === undefined ? {} : { activatedAt }),
      ...(retiredAt === undefined ? {} : { retiredAt }),
    }));
  }

  /** What others need in order to believe its tokens, the key that signs first. */
  bundle(): JwtBundle {
    const order = this.#keys.toSorted((left, right) => rank(left) - rank(right));
    return JwtBundle.of(this.trustDomain, order.map(toAuthorityKey));
  }

  /** Since when the present key signs. */
  get activatedAt(): Date {
    return this.#active.activatedAt ?? new Date(0);
  }

  /**
   * The key for later signs from now on, a new one is published for later, and those are dropped whose tokens have all
   * expired. To be called again no sooner than every verifier has fetched the bundle.
   */
  rotate(now = new Date()): void {
    const kept = this.#keys.filter(
      ({ retiredAt }) => retiredAt === undefined || retiredAt.getTime() + longestLifetimeMs > now.getTime(),
    );
    this.#keys = [
      ...kept.map((key) => {
        if (key.retiredAt !== undefined) return key;
        return key.activatedAt === undefined ? { ...key, activatedAt: now } : { ...key, retiredAt: now };
      }),
      createKey(undefined),
    ];
  }

  /** Throws SpiffeError `id_invalid` for an ID without a path or of another trust domain, `invalid_argument` without an audience. */
  issueJwtSvid(request: JwtSvidRequest): JwtSvid {
    const { id, audience, lifetimeMs = defaultLifetimeMs, hint, now = new Date() } = request;
    if (!id.memberOf(this.trustDomain))
      throw new SpiffeError('id_invalid', `the ID is not of the trust domain ${this.trustDomain.name}`);
    if (id.path === '') throw new SpiffeError('id_invalid', 'a workload has an ID with a path');
    if (audience.length === 0 || audience.includes(''))
      throw new SpiffeError('invalid_argument', 'a JWT-SVID is for an audience, and there is none');
    if (!(lifetimeMs >= 1000 && lifetimeMs <= longestLifetimeMs))
      throw new RangeError(`a JWT-SVID lives for 1000 to ${longestLifetimeMs} ms`);
    const { keyId, privateKey } = this.#active;
    const iat = Math.floor(now.getTime() / 1000);
    const header = { alg: algorithmName, kid: keyId, typ: 'JWT' };
    const claims = { sub: id, aud: [...new Set(audience)], iat, exp: iat + Math.floor(lifetimeMs / 1000) };
    const signed = [header, claims].map((part) => writeBase64Url(JSON.stringify(part))).join('.');
    return JwtSvid.parse(`${signed}.${writeBase64Url(sign(privateKey, signed))}`, hint);
  }

  get #active(): HeldKey {
    const active = this.#keys.find((key) => rank(key) === 0);
    if (active === undefined) throw new SpiffeError('internal', 'no key of the authority signs');
    return active;
  }
}

function sign(privateKey: KeyObject, signed: string): Uint8Array {
  const algorithm = findJwtAlgorithm(algorithmName);
  if (algorithm === undefined) throw new SpiffeError('internal', 'there is no ES256');
  return signJws(algorithm, privateKey, Buffer.from(signed, 'latin1'));
}

/** The one that signs, the one for later, the old ones. */
function rank({ activatedAt, retiredAt }: HeldKey): number {
  if (retiredAt !== undefined) return 2;
  return activatedAt === undefined ? 1 : 0;
}

function createKey(activatedAt: Date | undefined): HeldKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { keyId: keyIdOf(privateKey), privateKey, activatedAt, retiredAt: undefined };
}

/** The cause is left out on purpose: an error about a private key says nothing about its bytes. */
function readKey({ privateKeyPem, activatedAt, retiredAt }: JwtSigningKey): HeldKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(privateKeyPem);
  } catch {
    throw new SpiffeError('key_invalid', 'the private key is not an unencrypted PKCS #8 key');
  }
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new SpiffeError('key_invalid', 'the private key of a JWT authority is not a P-256 key');
  return { keyId: keyIdOf(privateKey), privateKey, activatedAt, retiredAt };
}

/** The same key has the same name wherever it is read: a part of its fingerprint. */
function keyIdOf(privateKey: KeyObject): string {
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url').slice(0, 22);
}

function toAuthorityKey({ keyId, privateKey }: HeldKey): JwtAuthorityKey {
  const { kty = '', crv = '', x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { keyId, jwk: { kty, crv, x, y, alg: algorithmName } };
}
