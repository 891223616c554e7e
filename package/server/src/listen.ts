import type { Table } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import {
  openServer,
  type Authorizer,
  type IdentitySource,
  type Malformed,
  type Refusal,
  type ServerLimits,
  type TlsServer,
  type Unfit,
} from '@spike/spiffe';
import { Backlog } from './backlog.ts';
import { createDispatch, type DispatchOptions } from './dispatch.ts';
import type { Exchange } from './exchange.ts';
import { HttpExchange } from './http-exchange.ts';
import { Intake } from './intake.ts';
import { MalformedExchange } from './malformed-exchange.ts';

export interface ListenOptions<T extends Table> extends DispatchOptions<T> {
  readonly source: IdentitySource;
  /** Who may connect at all; each request is judged by its route besides. */
  readonly authorize: Authorizer;
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly groups?: readonly string[];
  readonly limits?: Partial<ServerLimits>;
  /** How many files this process may hold open, sockets included; not regarded unless told. */
  readonly openFiles?: number | undefined;
}

const defaultLimits: ServerLimits = {
  handshakeMs: 10_000,
  headerMs: 10_000,
  // Above the deadlines of all routes' bodies: those answer, this one cuts.
  requestMs: 60_000,
  idleMs: 60_000,
  maxConnections: 10_000,
  maxPerPeer: 1000,
  reserved: 32,
  maxHeaderBytes: 16_384,
};

/** Who can do something about a server whose places are all taken. */
const operators = ['superuser', 'recover', 'restore', 'bootstrap', 'nexus'] as const;

const unfitMessages: Readonly<
  Record<Unfit, readonly [code: 'limit_exceeded' | 'api_bad_request', message: string]>
> = {
  crowded: ['limit_exceeded', 'too many connections are at work; use fewer, or try again later'],
  no_host: ['api_bad_request', 'a request of HTTP/1.1 names its host'],
  expectation: ['api_bad_request', 'this expectation is not known here'],
};

const unlistedMessage =
  'the names of the authorities of our own trust domain have no room in a handshake, so that OpenSSL filters no ' +
  'certificates before they are verified: keep fewer authorities in the bundle, or give them shorter names';

/** Serves a contract table over mTLS. The caller disposes of the server; `signal` bounds the opening alone. */
export function listen<T extends Table>(options: ListenOptions<T>, signal: AbortSignal): Promise<TlsServer> {
  const dispatch = createDispatch(options);
  const shared = { backlog: new Backlog(), intake: new Intake() };
  const serve = (exchange: Exchange): void => {
    dispatch(exchange).catch((error: unknown) => {
      options.log.error('dispatch.failed', { error: error instanceof Error ? error.name : 'unknown' });
      exchange.cut();
    });
  };
  const logMalformed = createMalformedLog(options.log);
  const { roles } = options;
  return openServer(
    {
      source: options.source,
      authorize: options.authorize,
      host: options.host,
      port: options.port,
      limits: fitLimits({ ...defaultLimits, ...options.limits }, options.openFiles),
      ...(options.groups === undefined ? {} : { groups: options.groups }),
      prefers: ({ id }) => operators.some((role) => roles.has(id, role)),
      onRefused: createRefusalLog(options.log),
      onOmitted: (trustDomains) =>
        options.log.warn('federation.omitted', {
          trustDomains: trustDomains.map(({ name }) => name).join(' '),
        }),
      onUnfiltered: (isUnfiltered) => {
        if (isUnfiltered) options.log.warn('bundle.unlisted', { message: unlistedMessage });
        else options.log.info('bundle.listed');
      },
      onUnfit: (request, response, peer, why) => {
        const refusal = new SpikeError(...unfitMessages[why]);
        serve(new HttpExchange(request, response, peer, { ...shared, refusal }));
      },
      onMalformed: (malformed) => {
        logMalformed(malformed);
        serve(new MalformedExchange(malformed));
      },
      handler: (request, response, peer) => serve(new HttpExchange(request, response, peer, shared)),
    },
    signal,
  );
}

/** For the store, the audit, the sockets to others and Node itself. */
const otherFiles = 256;

/** No more connections than there are files for: to have none left would hurt the store as well. */
export function fitLimits(limits: ServerLimits, openFiles = Infinity): ServerLimits {
  const places = Math.max(16, Math.floor((openFiles - otherFiles) / 1.25) - (limits.reserved ?? 0));
  return places >= limits.maxConnections ? limits : { ...limits, maxConnections: places };
}

const windowMs = 1000;

/** Strangers can knock as often as they like: one line for the first in each second, with how many there were before. */
export function createRefusalLog(log: Log, now?: () => number) {
  return oncePerSecond<Refusal>(({ code, message, remoteAddress }, unsaid) => {
    log.warn('connection.refused', { code, message, remoteAddress: remoteAddress ?? '', unsaid });
  }, now);
}

/** The audit has a line for each. */
function createMalformedLog(log: Log) {
  return oncePerSecond<Malformed>(({ code, peer }, unsaid) => {
    log.warn('request.malformed', { code, spiffeId: peer.id.toString(), unsaid });
  });
}

function oncePerSecond<Event>(
  say: (event: Event, unsaid: number) => void,
  now: () => number = () => performance.now(),
): (event: Event) => void {
  let silentUntil = -Infinity;
  let unsaid = 0;
  return (event) => {
    if (now() < silentUntil) {
      unsaid += 1;
      return;
    }
    silentUntil = now() + windowMs;
    say(event, unsaid);
    unsaid = 0;
  };
}
