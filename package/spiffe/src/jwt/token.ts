import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { parseJsonObject, type JsonObject } from '../json.ts';
import { strictText } from '../text.ts';
import { findJwtAlgorithm, type JwtAlgorithm } from './algorithm.ts';
import { readBase64Url } from './base64url.ts';

/** In characters. A token travels in a header, and servers take 16 KiB of all of them. */
export const longestToken = 16 * 1024;
/** Values of `aud`; one is what the standard advises (JWT-SVID 3.2). */
const mostAudiences = 64;

export interface JwtHeader {
  /** The name in `alg`. */
  readonly algorithmName: string;
  readonly algorithm: JwtAlgorithm;
  readonly keyId: string | undefined;
}

/** What a token says, before anybody has a reason to believe it. */
export interface TokenContent {
  readonly header: JwtHeader;
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  /** Times in milliseconds. */
  readonly expiresAt: number;
  readonly issuedAt: number | undefined;
  readonly notBefore: number | undefined;
  readonly claims: JsonObject;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Reads a JWT-SVID in the compact serialization and no other (JWT-SVID 5.1), and checks all that can be checked
 * without a key or a clock. Throws SpiffeError `token_invalid`, which says the rule that was broken and nothing of the
 * token, since whoever has it is believed.
 */
export function readToken(token: string): TokenContent {
  if (token.length > longestToken) refuse(`it is longer than ${longestToken} characters`);
  const [first = '', second = '', third = '', ...more] = token.split('.', 4);
  if (more.length > 0 || third === '' || second === '' || first === '')
    refuse('it is not three texts with a dot between them, the compact form of a JWS');
  const header = readHeader(readPart(first, 'header'));
  const claims = readPart(second, 'claims');
  const signature = readBase64Url(third);
  if (signature === undefined) refuse('its signature is not base64url');
  const { sub, aud, exp, iat, nbf } = claims;
  const expiresAt = readTime(exp, 'exp');
  if (expiresAt === undefined) refuse('it has no expiry (exp)');
  return {
    header,
    id: readSubject(sub),
    audience: readAudience(aud),
    expiresAt,
    issuedAt: readTime(iat, 'iat'),
    notBefore: readTime(nbf, 'nbf'),
    claims,
    signed: Buffer.from(`${first}.${second}`, 'latin1'),
    signature,
  };
}

/** Parameters beyond these are not for a JWT-SVID to have, but no reason to refuse it (RFC 7515 4): nothing heeds them. */
function readHeader(header: JsonObject): JwtHeader {
  const { alg, kid, typ, crit } = header;
  const algorithm = typeof alg === 'string' ? findJwtAlgorithm(alg) : undefined;
  if (typeof alg !== 'string' || algorithm === undefined)
    refuse('its algorithm (alg) is none of RS, ES and PS with 256, 384 or 512');
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') refuse('its type (typ) is neither JWT nor JOSE');
  if (crit !== undefined) refuse('it has critical parameters (crit), none of which is understood');
  if (kid !== undefined && (typeof kid !== 'string' || kid === ''))
    refuse('its key identifier (kid) is not a text');
  return { algorithmName: alg, algorithm, keyId: kid };
}

function readPart(text: string, what: string): JsonObject {
  const bytes = readBase64Url(text);
  if (bytes === undefined) refuse(`its ${what} part is not base64url`);
  let json: string;
  try {
    json = strictText.decode(bytes);
  } catch {
    refuse(`its ${what} part is not UTF-8`);
  }
  return parseJsonObject(json, 'token_invalid');
}

function readSubject(sub: unknown): SpiffeId {
  if (typeof sub !== 'string') refuse('it has no subject (sub)');
  let id: SpiffeId;
  try {
    id = SpiffeId.parse(sub);
  } catch (error) {
    refuse('its subject (sub) is not a SPIFFE ID', error);
  }
  if (id.path === '')
    refuse('its subject (sub) has no path, which is for trust domains and not for workloads');
  return id;
}

function readAudience(aud: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud];
  const audience = list.filter((one): one is string => typeof one === 'string' && one !== '');
  if (audience.length === 0 || audience.length !== list.length) refuse('it has no audience (aud)');
  if (audience.length > mostAudiences) refuse(`it has more than ${mostAudiences} audiences (aud)`);
  return audience;
}

/** A NumericDate: seconds, perhaps with a fraction (RFC 7519 2), of a time that a Date can hold. */
function readTime(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || Number.isNaN(new Date(value * 1000).getTime()))
    refuse(`its ${name} is not a time in seconds`);
  return value * 1000;
}

function refuse(why: string, cause?: unknown): never {
  throw new SpiffeError(
    'token_invalid',
    `this is not a JWT-SVID: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
