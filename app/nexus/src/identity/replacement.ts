import { replaceProcess, thisProgram } from '@spike/host';
import type { PartContext } from '@spike/lifecycle';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where this process listens, as far as it does: the next one is to be found at the same places. */
export interface Addresses {
  tls?: Address;
  health?: Address;
  metrics?: Address;
}

/**
 * Becomes a fresh process that waits for its identity, so that the kernel drops all memory which ever held a key. Where
 * there is no `execve` this process ends instead, and whoever supervises it starts the next.
 */
export function replaceSelf({ log, env }: PartContext, { tls, health, metrics }: Addresses): never {
  log.error('identity.forgetting', {
    message: 'this process drops its memory and waits for its identity',
  });
  const { file, args } = thisProgram();
  try {
    return replaceProcess(file, args, {
      ...env,
      ...(tls === undefined ? {} : { SPIKE_NEXUS_TLS_PORT: toText(tls) }),
      ...(health === undefined ? {} : { SPIKE_NEXUS_HEALTH_PORT: toText(health) }),
      ...(metrics === undefined ? {} : { SPIKE_NEXUS_METRICS_PORT: toText(metrics) }),
    });
  } catch (error) {
    log.error('identity.forgetting_failed', { message: error instanceof Error ? error.message : '' });
    return process.exit(1);
  }
}

export function addressOf(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** As settings have it. */
export function toText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
