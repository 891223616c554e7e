import { describeError } from '@spike/log';
import type { PartContext } from '@spike/lifecycle';
import { SpiffeError, WorkloadClient, type IdentitySource, type X509Svid } from '@spike/spiffe';
import { IdentityGuard, type Loss } from './guard.ts';
import type { IdentityTerm } from './term.ts';

export interface WatchOptions {
  readonly source: IdentitySource;
  readonly term: IdentityTerm;
  readonly endpoint: string;
  readonly pick: (svids: readonly X509Svid[]) => X509Svid | undefined;
  /** Closes the gate and resets all connections, before it returns. */
  readonly cut: (loss: Loss) => void;
  readonly record: (loss: Loss) => Promise<void>;
  readonly returned: (loss: Loss) => Promise<void>;
  readonly replace: () => void;
}

/** Guards the identity of this process, and tells the log what becomes of it. */
export function watchIdentity(options: WatchOptions, { log, signal }: PartContext): Disposable {
  const { source, term } = options;
  const failed = (error: unknown): void => log.error('identity.record_failed', describeError(error));
  const guard = new IdentityGuard({
    source,
    term,
    cut: (loss) => {
      options.cut(loss);
      log.error('identity.withdrawn', { reason: loss.reason });
    },
    record: async (loss) => await options.record(loss).catch(failed),
    confirm: createConfirm(options),
    returned: (loss) => {
      log.warn('identity.returned', { reason: loss.reason, awayMs: Date.now() - loss.at });
      options.returned(loss).catch(failed);
    },
    replace: options.replace,
    signal,
  });
  const subscription = source.subscribe((change) => {
    if (change.kind !== 'unreachable') return;
    log.warn('identity.unreachable', {
      message: change.error.message,
      servesUntil: new Date(term.until() ?? 0).toISOString(),
    });
  });
  return {
    [Symbol.dispose]: () => {
      subscription[Symbol.dispose]();
      guard[Symbol.dispose]();
    },
  };
}

/**
 * What is fetched here only confirms: it is never taken for an identity, since what comes on two connections has no
 * order, and an older answer could undo a withdrawal.
 */
function createConfirm({ endpoint, pick }: Pick<WatchOptions, 'endpoint' | 'pick'>) {
  const client = new WorkloadClient({ endpoint });
  return async (signal: AbortSignal): Promise<boolean> => {
    try {
      const { svids } = await client.fetchX509Context(signal);
      return pick(svids) === undefined;
    } catch (error) {
      return error instanceof SpiffeError && error.code === 'permission_denied';
    }
  };
}
