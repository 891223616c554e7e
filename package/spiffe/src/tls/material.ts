import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Identity } from '../source.ts';
import { toPem } from '../x509/pem.ts';

/** X25519MLKEM768 first; X25519 for peers that do not know it yet. */
export const defaultGroups: readonly string[] = ['X25519MLKEM768', 'X25519'];

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
