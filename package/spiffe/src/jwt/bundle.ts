import { SpiffeError } from '../error.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import { isObject, parseJsonObject, refuse } from '../json.ts';
import { checkKeyIds, readAuthorityKey, toAuthorityJwk, type JwtAuthorityKey } from './authority-key.ts';
import { JwtKey } from './key.ts';

/** More than any trust domain has at a time, rotation included. */
const mostKeys = 256;

/**
 * The JWT authorities of one trust domain, each under its key identifier. Without any, no token of this trust domain
 * is believed. Bundles of different trust domains are never merged (B-9).
 */
export class JwtBundle {
  readonly trustDomain: TrustDomain;
  /** As they were published, also those that verify nothing here. */
  readonly authorities: readonly JwtAuthorityKey[];
  readonly #keys: ReadonlyMap<string, JwtKey>;

  private constructor(trustDomain: TrustDomain, authorities: readonly JwtAuthorityKey[]) {
    this.trustDomain = trustDomain;
    this.authorities = authorities;
    this.#keys = new Map(
      authorities
        .map((authority) => JwtKey.read(authority))
        .filter((key) => key !== undefined)
        .map((key) => [key.keyId, key]),
    );
  }

  /**
   * Keys of kinds that are not known here are kept and verify nothing (B-2). Throws SpiffeError `bundle_invalid` for
   * key identifiers that are missing or not unique (B-4), and for more than 256 keys.
   */
  static of(trustDomain: TrustDomain, authorities: readonly JwtAuthorityKey[]): JwtBundle {
    if (authorities.length > mostKeys) {
      throw new SpiffeError('bundle_invalid', `a bundle has more than ${mostKeys} JWT authorities`);
    }
    checkKeyIds(authorities);
    return new JwtBundle(trustDomain, authorities);
  }

  /**
   * Reads the form of the Workload API, in which a key without `use` is a JWT authority, as SPIRE writes them, and one
   * of another use is left out. Throws SpiffeError `bundle_invalid`.
   */
  static parse(trustDomain: TrustDomain, text: string): JwtBundle {
    const { keys } = parseJsonObject(text);
    if (!Array.isArray(keys)) refuse('the bundle has no list of keys');
    const authorities = keys.map((key: unknown) =>
      readAuthorityKey(isObject(key) && key['use'] === undefined ? { ...key, use: 'jwt-svid' } : key),
    );
    return JwtBundle.of(
      trustDomain,
      authorities.filter((one) => one !== undefined),
    );
  }

  /** The other direction: JWT authorities and nothing else (W-8). */
  marshal(): string {
    return JSON.stringify({ keys: this.authorities.map(toAuthorityJwk) });
  }

  get(keyId: string): JwtKey | undefined {
    return this.#keys.get(keyId);
  }

  /** Those that can verify a token. */
  get keys(): readonly JwtKey[] {
    return [...this.#keys.values()];
  }

  /** The same trust domain and the same keys, in any order. */
  equals(other: JwtBundle): boolean {
    return (
      this.trustDomain.equals(other.trustDomain) &&
      this.#keys.size === other.#keys.size &&
      this.keys.every((key) => other.get(key.keyId)?.equals(key) === true)
    );
  }
}

/** Bundles by trust domain: whose tokens a process believes. Immutable; a new answer makes a new set. */
export class JwtBundleSet implements Iterable<JwtBundle> {
  readonly #byName: ReadonlyMap<string, JwtBundle>;

  private constructor(byName: ReadonlyMap<string, JwtBundle>) {
    this.#byName = byName;
  }

  /** Throws SpiffeError `bundle_invalid` when two bundles are of one trust domain. */
  static of(...bundles: readonly JwtBundle[]): JwtBundleSet {
    const byName = new Map(bundles.map((bundle) => [bundle.trustDomain.name, bundle]));
    if (byName.size !== bundles.length)
      throw new SpiffeError('bundle_invalid', 'two bundles are of the same trust domain');
    return new JwtBundleSet(byName);
  }

  get(trustDomain: TrustDomain): JwtBundle | undefined {
    return this.#byName.get(trustDomain.name);
  }

  get size(): number {
    return this.#byName.size;
  }

  [Symbol.iterator](): Iterator<JwtBundle> {
    return this.#byName.values();
  }
}
