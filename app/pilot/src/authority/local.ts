import { homeOf, readContext } from '@spike/config';
import { AuthorityClient } from '@spike/registry';
import { TrustDomain } from '@spike/spiffe';
import type { Invocation } from '../invocation.ts';
import { withPeer } from '../output/headline.ts';

interface LocalAuthority {
  readonly client: AuthorityClient;
  readonly trustDomain: TrustDomain;
  readonly endpointSocket: string;
  /** Undefined where an authority runs alone. */
  readonly nexusUrl: string | undefined;
}

/** The authority of this home, whether the launcher started it or `authority serve`. */
export async function openAuthority(invocation: Invocation): Promise<LocalAuthority> {
  const home = homeOf(invocation.env);
  const context = await readContext(home);
  const client = new AuthorityClient({ socketPath: context?.adminSocket ?? home.adminSocket });
  const { trustDomain, socketPath } = await reach(() => client.status(invocation.signal));
  return {
    client,
    trustDomain: TrustDomain.parse(trustDomain),
    endpointSocket: `unix://${socketPath}`,
    nexusUrl: context?.nexusUrl,
  };
}

export async function reach<T>(call: () => Promise<T>): Promise<T> {
  return await withPeer('the identity authority of this machine', call);
}

/** A path alone means the trust domain of the running system. */
export function fullId(trustDomain: TrustDomain, id: string): string {
  return id.startsWith('/') ? `${trustDomain.toString()}${id}` : id;
}
