import { isObject, type JsonObject } from './json.ts';

const knownKeyTypes = new Set(['EC', 'RSA', 'OKP']);

/** Whether an entry of a JWK set is a key that we know, for this use; others are left out (B-2). */
export function isJwkFor(use: string, entry: unknown): entry is JsonObject {
  if (!isObject(entry) || typeof entry['kty'] !== 'string') return false;
  return knownKeyTypes.has(entry['kty']) && entry['use'] === use;
}
