import { SpiffeError } from '../error.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import type { JsonObject } from '../json.ts';
import { verifyJws } from './algorithm.ts';
import type { JwtBundle, JwtBundleSet } from './bundle.ts';
import type { JwtKey } from './key.ts';
import { readToken, type TokenContent } from './token.ts';

/** How far the clocks of two machines may be apart unless told otherwise, and at most. */
export const defaultLeewayMs = 10_000;
const mostLeewayMs = 60_000;
/** Signatures that one token without a key identifier costs at most. */
const mostSignatureChecks = 64;

export interface TokenExpectation {
  /** Who we are to those who show tokens: one of these has to be in `aud`. At least one. */
  readonly audience: string | readonly string[];
  /** For `exp`, `nbf` and `iat`, each in the direction that helps; 10 s unless told, 60 s at most. */
  readonly leewayMs?: number;
  readonly now?: Date;
}

let mint: (content: TokenContent, keyId: string) => VerifiedToken;

/**
 * A token that was verified with a key of the trust domain that it names, for an audience of ours, and in its time.
 * Only `verifyJwtSvid` makes one. It says who asked for the token; whoever shows it may have it from him.
 */
export class VerifiedToken {
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  readonly notAfter: Date;
  /** Of the key that verified it. */
  readonly keyId: string;
  readonly claims: JsonObject;

  private constructor(content: TokenContent, keyId: string) {
    this.id = content.id;
    this.audience = content.audience;
    this.notAfter = new Date(content.expiresAt);
    this.keyId = keyId;
    this.claims = content.claims;
  }

  static {
    mint = (content, keyId) => new VerifiedToken(content, keyId);
  }
}

/**
 * Decides whether a token is believed. Throws SpiffeError: `token_invalid` for what is not a JWT-SVID, `bundle_unknown`
 * when nothing is known of its trust domain, `token_refused` for everything else.
 */
export function verifyJwtSvid(
  token: string,
  bundles: JwtBundleSet,
  expected: TokenExpectation,
): VerifiedToken {
  const content = readToken(token);
  judgeAudience(content, expected.audience);
  judgeTime(content, expected);
  const { trustDomain } = content.id;
  const bundle = bundles.get(trustDomain);
  if (bundle === undefined)
    throw new SpiffeError('bundle_unknown', `there is no bundle for the trust domain ${trustDomain.name}`);
  return mint(content, findKey(content, bundle).keyId);
}

function judgeAudience({ audience }: TokenContent, expected: string | readonly string[]): void {
  const ours = typeof expected === 'string' ? [expected] : expected;
  if (ours.length === 0 || ours.includes(''))
    throw new SpiffeError('invalid_argument', 'the audience to expect is empty');
  if (!audience.some((one) => ours.includes(one))) refuse('it is for another audience');
}

function judgeTime(
  content: TokenContent,
  { leewayMs = defaultLeewayMs, now = new Date() }: TokenExpectation,
): void {
  if (!(leewayMs >= 0 && leewayMs <= mostLeewayMs))
    throw new RangeError(`the leeway is from 0 to ${mostLeewayMs} ms`);
  const at = now.getTime();
  if (Number.isNaN(at)) throw new TypeError('the time to verify at is not a time');
  const { expiresAt, notBefore = 0, issuedAt = 0 } = content;
  if (at >= expiresAt + leewayMs) refuse('it has expired (exp)');
  if (at < notBefore - leewayMs) refuse('it is not valid yet (nbf)');
  if (at < issuedAt - leewayMs) refuse('it was issued in the future (iat)');
}

/** The key that the token names, or without a name each one in turn; of its own trust domain in any case. */
function findKey({ header, signed, signature, id }: TokenContent, bundle: JwtBundle): JwtKey {
  const { algorithmName, algorithm, keyId } = header;
  const named = keyId === undefined ? undefined : bundle.get(keyId);
  if (keyId !== undefined && named === undefined)
    refuse(`its key is not one of the trust domain ${id.trustDomain.name}`);
  const candidates = (named === undefined ? bundle.keys : [named]).filter((key) =>
    key.fits(algorithmName, algorithm),
  );
  if (candidates.length === 0) refuse('its algorithm is not one of its key');
  if (candidates.length > mostSignatureChecks) refuse('it names no key, and there are too many to try');
  const found = candidates.find((key) => verifyJws(algorithm, key.publicKey, signed, signature));
  return found ?? refuse('its signature is wrong');
}

function refuse(why: string): never {
  throw new SpiffeError('token_refused', `the JWT-SVID is not believed: ${why}`);
}
