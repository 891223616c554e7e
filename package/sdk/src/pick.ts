import { SpiffeError, type X509Svid } from '@spike/spiffe';

/**
 * Chooses the identity of a workload. Identities of SPIKE itself (below `/spike/`) are taken only by name: a program
 * that happens to run beside a superuser does not become one. Throws SpiffeError `identity_ambiguous` when there are
 * several to choose from; undefined when there is none.
 */
export function pickWorkload(svids: readonly X509Svid[], spiffeId?: string): X509Svid | undefined {
  if (spiffeId !== undefined) return svids.find((svid) => svid.id.toString() === spiffeId);
  const [first, ...others] = svids.filter((svid) => !svid.id.isBelow('/spike'));
  if (others.length === 0) return first;
  const ids = [first, ...others].map((svid) => svid?.id.toString() ?? '');
  throw new SpiffeError(
    'identity_ambiguous',
    `this program has several identities, say which with the option spiffeId: ${ids.join(', ')}`,
  );
}
