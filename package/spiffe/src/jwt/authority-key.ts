import { isJwkFor } from '../jwk.ts';
import { refuse, type JsonObject } from '../json.ts';

const use = 'jwt-svid';

/** Members of a JWK that are nobody's but the signer's (RFC 7518 6). */
const privateMembers = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']);

/** The key of a JWT authority as it was published, without private members. Whether it verifies tokens, `JwtKey` says. */
export interface JwtAuthorityKey {
  readonly keyId: string;
  readonly jwk: Readonly<Record<string, string | readonly string[]>>;
}

/** Undefined for an entry of another kind or use (B-2). Throws SpiffeError `bundle_invalid` without an identifier (B-4). */
export function readAuthorityKey(key: unknown): JwtAuthorityKey | undefined {
  if (!isJwkFor(use, key)) return undefined;
  const { kid } = key;
  if (typeof kid !== 'string' || kid === '') refuse('a JWT authority has no key identifier');
  return { keyId: kid, jwk: publicMembers(key) };
}

/** B-4. Throws SpiffeError `bundle_invalid`. */
export function checkKeyIds(authorities: readonly JwtAuthorityKey[]): void {
  const keyIds = new Set(authorities.map(({ keyId }) => keyId));
  if (keyIds.has('') || keyIds.size !== authorities.length)
    refuse('a JWT authority has no key identifier, or shares it with another');
}

/** The form in which it is published. */
export function toAuthorityJwk({ keyId, jwk }: JwtAuthorityKey): object {
  return { ...jwk, kid: keyId, use };
}

function publicMembers(key: JsonObject): JwtAuthorityKey['jwk'] {
  const members = Object.entries(key).filter(
    (entry): entry is [string, string | readonly string[]] =>
      !privateMembers.has(entry[0]) && isPublicMember(entry[1]),
  );
  return Object.fromEntries(members);
}

function isPublicMember(value: unknown): boolean {
  return typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
}
