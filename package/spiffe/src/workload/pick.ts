import type { TrustDomain } from '../id/trust-domain.ts';
import type { X509Svid } from '../x509/svid.ts';

/**
 * A `pick` for programs that have a role: the first SVID of these trust domains whose path is `path` or lies below it,
 * by whole segments, however many others the process is entitled to.
 */
export function pickBelow(
  trustDomains: readonly TrustDomain[],
  path: string,
): (svids: readonly X509Svid[]) => X509Svid | undefined {
  return (svids) =>
    svids.find(({ id }) => id.isBelow(path) && trustDomains.some((domain) => id.memberOf(domain)));
}
