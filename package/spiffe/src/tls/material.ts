import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { Identity } from '../source.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import type { X509Bundle } from '../x509/bundle.ts';
import { toPem } from '../x509/pem.ts';

/** X25519MLKEM768 first; X25519 for peers that do not know it yet. */
export const defaultGroups: readonly string[] = ['X25519MLKEM768', 'X25519'];

/** Bytes for the names of the authorities of one other trust domain, and of all together, our own included. */
const mostNameBytes = { each: 4096, all: 32_768 } as const;

export interface FittedIdentity extends Identity {
  /** Of whom no peer is believed, since there is no room for the names of their authorities. */
  readonly omitted: readonly TrustDomain[];
  /** What OpenSSL filters with, whose names it lists: all of these bundles, or none. */
  readonly listed: X509BundleSet;
}

/**
 * What a server can ask for certificates with: OpenSSL lists the subjects of all authorities that it is given in the
 * CertificateRequest (RFC 8446 4.2.4), and beyond 64 KiB every handshake fails, those of our own peers as well. A partner
 * must not bring that about: of the other trust domains, the ones with the shortest lists stay while there is room. Where
 * our own has none, OpenSSL is given nothing, lists nobody, and the verifier decides without its filter.
 */
export function fitBundles({ svid, bundles }: Identity): FittedIdentity {
  const own = bundles.get(svid.id.trustDomain);
  let room = mostNameBytes.all - (own === undefined ? 0 : nameBytesOf(own));
  if (room < 0) return { svid, bundles, omitted: [], listed: X509BundleSet.of() };
  const others = [...bundles].filter((bundle) => bundle !== own).toSorted(compareNames);
  const kept: X509Bundle[] = own === undefined ? [] : [own];
  const omitted: TrustDomain[] = [];
  for (const bundle of others) {
    const size = nameBytesOf(bundle);
    if (size > mostNameBytes.each || size > room) {
      omitted.push(bundle.trustDomain);
      continue;
    }
    room -= size;
    kept.push(bundle);
  }
  const fitted = X509BundleSet.of(...kept);
  return { svid, bundles: fitted, omitted, listed: fitted };
}

function compareNames(one: X509Bundle, other: X509Bundle): number {
  return nameBytesOf(one) - nameBytesOf(other) || (one.trustDomain.name < other.trustDomain.name ? -1 : 1);
}

/** Each with the two bytes of its length. */
function nameBytesOf({ authorities }: X509Bundle): number {
  return authorities.reduce((sum, { subject }) => sum + subject.der.length + 2, 0);
}

/**
 * Everything that a TLS context of ours consists of. The one builder, because what `setSecureContext()` is not told
 * falls back to defaults: without `minVersion` it brings TLS 1.2 back.
 *
 * `ca` is the union of all bundles, with which OpenSSL only filters; the verifier decides by trust domain. An empty
 * union must stay an empty list: with `undefined` the public web's roots would take its place.
 */
export function buildSecureOptions(
  identity: Identity,
  groups: readonly string[] = defaultGroups,
): SecureContextOptions {
  const authorities = [...identity.bundles].flatMap((bundle) => bundle.authorities);
  return {
    ...identity.svid.toPem(),
    ca: authorities.map((authority) => toPem('CERTIFICATE', authority.der)),
    // An authority in a bundle need not be self-signed (X509-SVID 4, "trust anchor").
    allowPartialTrustChain: true,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ecdhCurve: groups.join(':'),
    // A resumed session is `authorized` with an expired certificate, or one whose authority is gone.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
