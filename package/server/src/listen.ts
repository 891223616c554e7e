import type { Table } from '@spike/contract';
import type { Log } from '@spike/log';
import {
  openServer,
  type Authorizer,
  type IdentitySource,
  type Refusal,
  type ServerLimits,
  type TlsServer,
} from '@spike/spiffe';
import { Backlog } from './backlog.ts';
import { createDispatch, type DispatchOptions } from './dispatch.ts';
import { HttpExchange } from './http-exchange.ts';

export interface ListenOptions<T extends Table> extends DispatchOptions<T> {
  readonly source: IdentitySource;
  /** Who may connect at all; each request is judged by its route besides. */
  readonly authorize: Authorizer;
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly groups?: readonly string[];
  readonly limits?: Partial<ServerLimits>;
}

const defaultLimits: ServerLimits = {
  handshakeMs: 10_000,
  headerMs: 10_000,
  // Above the deadlines of all routes' bodies: those answer, this one cuts.
  requestMs: 60_000,
  idleMs: 60_000,
  maxConnections: 10_000,
  maxHeaderBytes: 16_384,
};

/** Serves a contract table over mTLS. The caller disposes of the server; `signal` bounds the opening alone. */
export function listen<T extends Table>(options: ListenOptions<T>, signal: AbortSignal): Promise<TlsServer> {
  const dispatch = createDispatch(options);
  const backlog = new Backlog();
  return openServer(
    {
      source: options.source,
      authorize: options.authorize,
      host: options.host,
      port: options.port,
      limits: { ...defaultLimits, ...options.limits },
      ...(options.groups === undefined ? {} : { groups: options.groups }),
      onRefused: createRefusalLog(options.log),
      handler: (request, response, peer) => {
        dispatch(new HttpExchange(request, response, peer, backlog)).catch((error: unknown) => {
          options.log.error('dispatch.failed', { error: error instanceof Error ? error.name : 'unknown' });
          request.socket.destroy();
        });
      },
    },
    signal,
  );
}

const refusalWindowMs = 1000;

/** Strangers can knock as often as they like: one line for the first in each second, with how many there were before. */
export function createRefusalLog(log: Log, now: () => number = () => performance.now()) {
  let silentUntil = -Infinity;
  let unsaid = 0;
  return (refusal: Refusal): void => {
    if (now() < silentUntil) {
      unsaid += 1;
      return;
    }
    silentUntil = now() + refusalWindowMs;
    log.warn('connection.refused', {
      code: refusal.code,
      message: refusal.message,
      remoteAddress: refusal.remoteAddress ?? '',
      unsaid,
    });
    unsaid = 0;
  };
}
