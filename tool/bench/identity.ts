import { X509Certificate, constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { AuthorityClient } from '@spike/registry';
import { X509Source } from '@spike/spiffe';

/** Where a process of the bench gets its identity, and which. */
export interface Place {
  readonly adminSocket: string;
  readonly endpoint: string;
  readonly spiffeId: string;
}

const openMs = 10_000;

/** An identity for this process alone, by its pid, as a workload has it; the entry is gone afterwards. */
export async function openIdentity(
  place: Place,
): Promise<AsyncDisposable & { readonly tls: SecureContextOptions }> {
  await using stack = new AsyncDisposableStack();
  const authority = new AuthorityClient({ socketPath: place.adminSocket });
  const { entry } = await authority.createEntry({
    spiffeId: place.spiffeId,
    selectors: [`pid:${process.pid}`],
  });
  stack.defer(() => authority.deleteEntry(entry.id));
  const source = stack.use(
    await X509Source.open({
      endpoint: place.endpoint,
      signal: AbortSignal.timeout(openMs),
      // Whoever runs the bench has the superuser's identity too.
      pick: (svids) => svids.find(({ id }) => id.toString() === place.spiffeId),
    }),
  );
  const { svid, bundles } = source.current();
  const authorities = [...bundles].flatMap((bundle) => bundle.authorities);
  const owned = stack.move();
  return {
    // What package/spiffe sets, for handshakes that cost the same on both sides of a comparison.
    tls: {
      ...svid.toPem(),
      ca: authorities.map(({ der }) => new X509Certificate(der).toString()),
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ecdhCurve: 'X25519MLKEM768:X25519',
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
