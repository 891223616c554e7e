import { openLoopback, type LoopbackServer } from './loopback.ts';

export interface Health {
  readonly ready: boolean;
  /** One word. */
  readonly state: string;
}

/**
 * Answers `GET /health/live` and `/health/ready` in clear on loopback, for supervisors that have no identity: nothing
 * but one word can be learnt here. Throws `config_invalid` for an address that is not loopback.
 */
export async function openHealth(
  options: { readonly host: string; readonly port: number; readonly health: () => Health },
  signal: AbortSignal,
): Promise<LoopbackServer> {
  const { host, port, health } = options;
  const answer = (path: string) => {
    const found = answerFor(path, health);
    return found && { status: found.status, type: 'application/json', body: JSON.stringify(found.body) };
  };
  return await openLoopback({ host, port, noun: 'health', answer }, signal);
}

function answerFor(path: string, health: () => Health): { status: number; body: object } | undefined {
  if (path === '/health/live') return { status: 200, body: { live: true } };
  if (path !== '/health/ready') return undefined;
  const { ready, state } = health();
  return { status: ready ? 200 : 503, body: { ready, state } };
}
