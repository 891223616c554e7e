import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { X509BundleSet } from './bundle-set.ts';
import { Certificate } from './certificate.ts';
import { readLeaf } from './leaf.ts';
import { findNameViolation, type NameEffort } from './name-constraint.ts';
import { oid } from './oid.ts';
import { longestChain } from './svid.ts';

/** Signatures that one verification checks at most; a peer must not choose how long we compute. */
const mostSignatureChecks = 64;

interface VerifyOptions {
  readonly now?: Date;
  /**
   * What the peer is to us. An issuer whose extended key usage is not for it is then refused, as OpenSSL does; RFC 5280
   * leaves open what it means in an issuer. A leaf is always for both.
   */
  readonly as?: 'client' | 'server';
}

/** The leaf first, then each one's issuer, an authority of the bundle last. */
type Path = readonly [Certificate, ...Certificate[]];

let mint: (id: SpiffeId, intermediates: readonly Certificate[], path: Path) => VerifiedPeer;

/**
 * Somebody whose chain was verified against the bundle of the trust domain that it names. Only `verifyX509Svid`
 * makes one, so to have one is the proof that this was done; it says who the peer is, not what it may do.
 */
export class VerifiedPeer {
  readonly id: SpiffeId;
  readonly leaf: Certificate;
  /** What the peer sent beside its leaf, used or not: enough to verify it again when bundles change. */
  readonly intermediates: readonly Certificate[];
  /** When the first certificate of the path ends: the proof is worth nothing afterwards. */
  readonly notAfter: Date;
  readonly #authority: Certificate;

  private constructor(id: SpiffeId, intermediates: readonly Certificate[], [leaf, ...issuers]: Path) {
    this.id = id;
    this.leaf = leaf;
    this.intermediates = intermediates;
    const ends = [leaf, ...issuers].map((certificate) => certificate.notAfter.getTime());
    this.notAfter = new Date(Math.min(...ends));
    this.#authority = issuers.at(-1) ?? leaf;
  }

  static {
    mint = (id, intermediates, path) => new VerifiedPeer(id, intermediates, path);
  }

  /** The authority of the bundle at which the path ends. */
  get authority(): Certificate {
    return this.#authority;
  }
}

/**
 * Decides who a peer is from the chain that it sent, leaf first (X509-SVID 5, RFC 5280 6). OpenSSL has filtered
 * before, with the union of all bundles, and knows nothing of SPIFFE; nobody is believed but by this function.
 * Throws SpiffeError: `certificate_invalid` or `svid_invalid` for what is not an X.509-SVID, `bundle_unknown`,
 * `chain_invalid` for everything that a path lacks, expiry included.
 */
export function verifyX509Svid(
  chain: readonly Certificate[] | readonly Uint8Array[],
  bundles: X509BundleSet,
  options: VerifyOptions = {},
): VerifiedPeer {
  if (chain.length > longestChain) {
    throw new SpiffeError('chain_invalid', `the chain is longer than ${longestChain} certificates`);
  }
  const presented = chain.map((one) => (one instanceof Certificate ? one : Certificate.parse(one)));
  const [leaf, ...intermediates] = presented;
  if (leaf === undefined) throw new SpiffeError('chain_invalid', 'the chain is empty');
  const id = readLeaf(leaf);
  const bundle = bundles.get(id.trustDomain);
  if (bundle === undefined) {
    throw new SpiffeError('bundle_unknown', `there is no bundle for the trust domain ${id.trustDomain.name}`);
  }
  const search = new PathSearch(bundle.authorities, intermediates, id.trustDomain, options);
  return mint(id, intermediates, search.find(leaf));
}

/**
 * Looks for a path from a leaf to one of the authorities. Names tell which certificates may follow; each of those is
 * tried, so that authorities of the same name are told apart by their signatures. Key identifiers only say which to
 * try first.
 */
class PathSearch {
  readonly #authorities: readonly Certificate[];
  readonly #intermediates: readonly Certificate[];
  readonly #trustDomain: TrustDomain;
  readonly #now: number;
  readonly #purpose: string | undefined;
  readonly #nameEffort: NameEffort = { comparisons: 0 };
  #checks = 0;
  #reason: string | undefined;

  constructor(
    authorities: readonly Certificate[],
    intermediates: readonly Certificate[],
    trustDomain: TrustDomain,
    { now = new Date(), as }: VerifyOptions,
  ) {
    this.#authorities = authorities;
    this.#intermediates = intermediates;
    this.#trustDomain = trustDomain;
    this.#now = now.getTime();
    this.#purpose = as && (as === 'client' ? oid.clientAuth : oid.serverAuth);
    if (Number.isNaN(this.#now)) throw new TypeError('the time to verify at is not a time');
  }

  /** The path, leaf first and authority last; throws SpiffeError `chain_invalid` with the first reason that was met. */
  find(leaf: Certificate): Path {
    const reason = this.#judgeTime(leaf) ?? this.#judgeScheme(leaf);
    const path = reason === undefined ? this.#extend([leaf]) : undefined;
    if (path !== undefined) return path;
    const why = reason ?? this.#reason ?? 'no certificate of its issuer was sent or is in the bundle';
    throw new SpiffeError('chain_invalid', `the certificate of the peer is not verified: ${why}`);
  }

  #extend(path: Path): Path | undefined {
    const last = path.at(-1);
    if (last === undefined || path.length > longestChain) return undefined;
    for (const authority of candidates(last, this.#authorities)) {
      if (!this.#follows(authority, path, last)) continue;
      const whole: Path = [...path, authority];
      const violation = findNameViolation(whole, this.#nameEffort);
      if (violation === undefined) return whole;
      this.#note(violation);
    }
    for (const intermediate of candidates(last, this.#intermediates)) {
      if (path.some((used) => used.equals(intermediate))) continue;
      const reason = this.#judgeScheme(intermediate);
      if (reason !== undefined) {
        this.#note(reason);
        continue;
      }
      if (!this.#follows(intermediate, path, last)) continue;
      const whole = this.#extend([...path, intermediate]);
      if (whole !== undefined) return whole;
    }
    return undefined;
  }

  /** True when `issuer` may and did issue `last`, the end of `path`. The signature comes last, since it costs most. */
  #follows(issuer: Certificate, path: readonly Certificate[], last: Certificate): boolean {
    const reason = this.#judgeTime(issuer) ?? this.#judgeIssuer(issuer, path);
    if (reason !== undefined) {
      this.#note(reason);
      return false;
    }
    if (this.#checks >= mostSignatureChecks) {
      this.#reason = 'there are too many ways to look for a path';
      return false;
    }
    this.#checks++;
    if (last.isSignedBy(issuer)) return true;
    this.#note('a signature is wrong');
    return false;
  }

  #judgeTime(certificate: Certificate): string | undefined {
    if (this.#now < certificate.notBefore.getTime()) return 'a certificate is not valid yet';
    if (this.#now > certificate.notAfter.getTime()) return 'a certificate has expired';
    return undefined;
  }

  #judgeScheme(certificate: Certificate): string | undefined {
    return certificate.signatureScheme === undefined
      ? 'a certificate is signed in a way that is not accepted'
      : undefined;
  }

  #judgeIssuer(issuer: Certificate, path: readonly Certificate[]): string | undefined {
    if (issuer.basicConstraints?.ca !== true) return 'an issuer is not an authority (cA)';
    if (issuer.keyUsage?.usages.has('keyCertSign') !== true)
      return 'an issuer may not sign certificates (keyCertSign)';
    if (issuer.unknownCritical.length > 0) return 'an issuer has a critical extension that is not understood';
    if (issuer.keyFamily === undefined)
      return 'the key of an issuer is of a kind or size that is not accepted';
    if (!this.#isMeant(issuer)) return 'an issuer is for other purposes (extKeyUsage)';
    const { pathLength } = issuer.basicConstraints;
    const between = path.slice(1).filter((one) => !one.subject.equals(one.issuer)).length;
    if (pathLength !== undefined && between > pathLength) return 'the path is longer than an issuer allows';
    return this.#judgeId(issuer.uris);
  }

  #isMeant({ extKeyUsage }: Certificate): boolean {
    if (this.#purpose === undefined || extKeyUsage === undefined) return true;
    return extKeyUsage.purposes.has(this.#purpose);
  }

  /** an authority that has a SPIFFE ID has that of its trust domain and no other. */
  #judgeId(uris: readonly string[]): string | undefined {
    if (!uris.some((uri) => /^spiffe:/i.test(uri))) return undefined;
    const allowed = uris.length === 1 && uris[0] === this.#trustDomain.toString();
    return allowed ? undefined : 'an issuer has a SPIFFE ID that is not the one of the trust domain';
  }

  #note(reason: string): void {
    this.#reason ??= reason;
  }
}

/** Those that bear the name of the issuer, the one of the wanted key first. */
function candidates(of: Certificate, among: readonly Certificate[]): readonly Certificate[] {
  const named = among.filter((one) => !one.subject.isEmpty && one.subject.equals(of.issuer));
  const wanted = of.authorityKeyId;
  if (named.length < 2 || wanted === undefined) return named;
  const hasKey = (one: Certificate) =>
    one.subjectKeyId !== undefined && Buffer.compare(one.subjectKeyId, wanted) === 0 ? 0 : 1;
  return named.toSorted((a, b) => hasKey(a) - hasKey(b));
}
