import { SpiffeError } from '../error.ts';
import { isSegmentCode } from './character.ts';
import { scheme, TrustDomain } from './trust-domain.ts';

/** SPIFFE-ID 2.3: 2048 bytes have to be supported, and longer IDs are not to be generated. */
const longestId = 2048;

/**
 * A SPIFFE ID: a trust domain and a path that is empty (the ID of the trust domain itself) or `/segment` repeated.
 * Only `parse` and `from` make one, so a value of this type is always valid and in its one canonical spelling:
 * comparing texts compares identities.
 */
export class SpiffeId {
  readonly trustDomain: TrustDomain;
  readonly path: string;
  readonly #text: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    this.#text = trustDomain.toString() + path;
  }

  /** Throws SpiffeError `id_invalid`, which says the rule that was broken. */
  static parse(text: string): SpiffeId {
    if (text.length > longestId)
      throw new SpiffeError('id_invalid', `the ID is longer than ${longestId} bytes`);
    if (!text.startsWith(scheme)) throw new SpiffeError('id_invalid', `a SPIFFE ID begins with ${scheme}`);
    const slash = text.indexOf('/', scheme.length);
    const end = slash === -1 ? text.length : slash;
    let trustDomain: TrustDomain;
    try {
      trustDomain = TrustDomain.parse(text.slice(scheme.length, end));
    } catch (error) {
      const why = error instanceof SpiffeError ? error.message : 'its trust domain is invalid';
      throw new SpiffeError('id_invalid', `not a SPIFFE ID: ${why}`, { cause: error });
    }
    return SpiffeId.from(trustDomain, text.slice(end));
  }

  /** `path` is empty or begins with a slash. Throws SpiffeError `id_invalid`. */
  static from(trustDomain: TrustDomain, path: string): SpiffeId {
    checkPath(path);
    if (scheme.length + trustDomain.name.length + path.length > longestId) {
      throw new SpiffeError('id_invalid', `the ID is longer than ${longestId} bytes`);
    }
    return new SpiffeId(trustDomain, path);
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }

  equals(other: SpiffeId): boolean {
    return #text in other && this.#text === other.#text;
  }

  memberOf(trustDomain: TrustDomain): boolean {
    return this.trustDomain.equals(trustDomain);
  }

  /**
   * True for exactly this path and for what is below it by whole segments: `/a` covers `/a` and `/a/b`, not `/ab`.
   * The empty path covers everything. Says nothing about the trust domain.
   */
  isBelow(path: string): boolean {
    return this.path === path || this.path.startsWith(path.endsWith('/') ? path : path + '/');
  }
}

function checkPath(path: string): void {
  if (path.length === 0) return;
  if (path.charCodeAt(0) !== 0x2f)
    throw new SpiffeError('id_invalid', 'the path of an ID begins with a slash');
  let start = 1;
  for (let i = 1; i <= path.length; i++) {
    if (i < path.length && path.charCodeAt(i) !== 0x2f) {
      if (!isSegmentCode(path.charCodeAt(i))) {
        throw new SpiffeError('id_invalid', 'a path has only letters, digits, dots, dashes and underscores');
      }
      continue;
    }
    const length = i - start;
    if (length === 0)
      throw new SpiffeError('id_invalid', 'a path has no empty segment and no slash at its end');
    if (
      path.charCodeAt(start) === 0x2e &&
      (length === 1 || (length === 2 && path.charCodeAt(start + 1) === 0x2e))
    ) {
      throw new SpiffeError('id_invalid', 'a path has no segment . or ..');
    }
    start = i + 1;
  }
}
