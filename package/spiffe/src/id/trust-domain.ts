import { SpiffeError } from '../error.ts';
import { isTrustDomainCode } from './character.ts';

export const scheme = 'spiffe://';

/** SPIFFE-ID 2.3: implementations support names of up to 255 bytes, and longer ones are not to be generated. */
const longestName = 255;

/**
 * The name of a trust domain: 1 to 255 of `a-z 0-9 . - _`. Only `parse` makes one, so a value of this type is
 * always valid. Names that look like DNS names or addresses are nothing special.
 */
export class TrustDomain {
  readonly name: string;
  readonly #id: string;

  private constructor(name: string) {
    this.name = name;
    this.#id = scheme + name;
  }

  /** Takes `example.org` or `spiffe://example.org`; throws SpiffeError `trust_domain_invalid`. */
  static parse(text: string): TrustDomain {
    const name = text.startsWith(scheme) ? text.slice(scheme.length) : text;
    if (name.length === 0) throw new SpiffeError('trust_domain_invalid', 'the trust domain is empty');
    if (name.length > longestName) {
      throw new SpiffeError('trust_domain_invalid', `the trust domain is longer than ${longestName} bytes`);
    }
    for (let i = 0; i < name.length; i++) {
      if (!isTrustDomainCode(name.charCodeAt(i))) {
        throw new SpiffeError(
          'trust_domain_invalid',
          'a trust domain has only lower-case letters, digits, dots, dashes and underscores',
        );
      }
    }
    return new TrustDomain(name);
  }

  /** The trust domain's own SPIFFE ID, which is also its key in the maps of the Workload API. */
  toString(): string {
    return this.#id;
  }

  toJSON(): string {
    return this.#id;
  }

  equals(other: TrustDomain): boolean {
    return #id in other && this.#id === other.#id;
  }
}
