import { once } from 'node:events';
import type { PartContext } from '@spike/lifecycle';
import { currentOf, SpiffeError, X509Source, type X509Svid } from '@spike/spiffe';

/** Whether something failed because our identity is lost. */
export function isLost(error: unknown): boolean {
  return (
    error instanceof SpiffeError && (error.code === 'identity_withdrawn' || error.code === 'identity_expired')
  );
}

/** Resolves with an identity that serves now: an agent that comes back may still have one that has expired. */
export async function openIdentity(
  endpoint: string,
  pick: (svids: readonly X509Svid[]) => X509Svid | undefined,
  { signal, log }: PartContext,
): Promise<X509Source> {
  log.info('identity.waiting', { endpoint });
  const source = await X509Source.open({ endpoint, signal, pick });
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _change = source.subscribe(() => resolve());
    const identity = currentOf(source);
    if (identity !== undefined) {
      log.info('identity.held', { id: identity.svid.id.toString() });
      return source;
    }
    await Promise.race([promise, once(signal, 'abort')]);
    signal.throwIfAborted();
  }
}
