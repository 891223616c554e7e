import { homeOf, readContext, variables } from '@spike/config';
import { nexusTable, rolePaths, SecretPath, type NexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { authorizeRole, openClient, type CallOptions, type Client } from '@spike/sdk';
import { SpiffeError, TrustDomain, X509Source, type Authorizer } from '@spike/spiffe';
import { findToken } from './access/token.ts';
import { withLogin } from './access/retry.ts';
import type { Invocation } from './invocation.ts';
import { openTracer, type Tracer } from './trace.ts';

/** `pilot`: whichever of the three roles this process has. `approver`: recover, or else superuser. */
export type PilotRole = 'superuser' | 'recover' | 'restore' | 'pilot' | 'approver';

export interface SessionOptions {
  /**
   * The session of an administrator that goes along. `wanted`: a superuser's commands take it, and a person in a terminal
   * is asked for a password where it is missing. `shown`: where there is one. `none`: in no case.
   */
  readonly administrator?: 'wanted' | 'shown' | 'none';
  /** Recovery shares go over it; sessions of the roles for that always carry them. */
  readonly carriesShares?: true;
}

export interface Session extends AsyncDisposable {
  readonly client: Client<NexusTable>;
  /** For each call: ends with the command. */
  readonly call: CallOptions;
  /** Who we are. */
  readonly id: string;
  /** The life of that identity. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Of Nexus. */
  readonly url: string;
  path(text: string): SecretPath;
}

/** What a part of a command needs of a session: these calls, and no others. */
export interface Calls<Name extends keyof NexusTable> extends Pick<Session, 'call'> {
  readonly client: Pick<Client<NexusTable>, Name>;
}

/** No agent is told within this; the start of the program comes on top, and the whole has to stay below 5 s. */
const agentMs = 2_500;
const deadlineMs = 30_000;
/** Shares travel under this key exchange or not at all. */
const shareGroup = 'X25519MLKEM768';

/** Gets an identity of the role from the Workload API and a client of Nexus that acts under it. */
export async function openSession(
  invocation: Invocation,
  role: PilotRole,
  options: SessionOptions = {},
): Promise<Session> {
  const { signal, settings, stderr } = invocation;
  const tracer = settings.trace ? openTracer(stderr) : undefined;
  const place = await findPlace(invocation);
  const started = performance.now();
  const source = await openSource(place.endpoint, role, signal, settings.timeoutMs);
  const { id, notBefore, notAfter } = source.current().svid;
  tracer?.note(`${place.endpoint} says ${id.toString()}, ${(performance.now() - started).toFixed(1)} ms`);
  const { administrator = role === 'superuser' ? 'wanted' : 'none' } = options;
  // From any other ID it would be taken for stolen, and revoked.
  const isSuperuser = id.isBelow(rolePaths.superuser);
  const token = administrator === 'none' || !isSuperuser ? undefined : await findToken(invocation, place.url);
  const carriesShares = role === 'recover' || role === 'restore' || options.carriesShares === true;
  const authorize = authorizeRole('nexus', place.trustRoots ?? [id.trustDomain]);
  const client = openClient({
    source,
    table: nexusTable,
    url: place.url,
    authorize: tracer === undefined ? authorize : watch(authorize, tracer),
    deadlineMs: settings.timeoutMs ?? deadlineMs,
    // A script that logs in more often than it may goes on a little later.
    retry: 'when-told',
    token: () => token?.current,
    ...(carriesShares ? { groups: [shareGroup], requireGroup: shareGroup } : {}),
    ...(tracer === undefined ? {} : { wrap: tracer.wrap }),
  });
  const session = { client: client.call, call: { signal }, url: place.url };
  return {
    ...session,
    ...(administrator === 'wanted' && token !== undefined
      ? { client: withLogin(invocation, session, token) }
      : {}),
    id: id.toString(),
    notBefore,
    notAfter,
    path: (text) => SecretPath.parse(text),
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

function watch(authorize: Authorizer, tracer: Tracer): Authorizer {
  return (peer) => {
    tracer.met(peer.id.toString());
    return authorize(peer);
  };
}

interface Place {
  readonly endpoint: string;
  readonly url: string;
  readonly trustRoots: readonly TrustDomain[] | undefined;
}

/** Variables first, then what `npm start` left, then the defaults of the Go command. */
async function findPlace({ env }: Invocation): Promise<Place> {
  const context = await readContext(homeOf(env));
  const url = env['SPIKE_NEXUS_API_URL'] || context?.nexusUrl || variables.SPIKE_NEXUS_API_URL.default;
  if (!URL.canParse(url)) throw new SpikeError('config_invalid', 'SPIKE_NEXUS_API_URL is not a URL');
  const roots = env['SPIKE_TRUST_ROOT_NEXUS'] || env['SPIKE_TRUST_ROOT'];
  return {
    endpoint:
      env['SPIFFE_ENDPOINT_SOCKET'] || context?.endpointSocket || variables.SPIFFE_ENDPOINT_SOCKET.default,
    url,
    trustRoots: roots?.split(',').map((name) => TrustDomain.parse(name.trim())),
  };
}

async function openSource(
  endpoint: string,
  role: PilotRole,
  signal: AbortSignal,
  timeoutMs = agentMs,
): Promise<X509Source> {
  try {
    return await X509Source.open({
      endpoint,
      firstAnswerMs: Math.min(agentMs, timeoutMs),
      signal,
      pick: (svids) =>
        rolesOf(role)
          .map((path) => svids.find(({ id }) => id.isBelow(path)))
          .find((svid) => svid !== undefined),
    });
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    if (error.code === 'permission_denied' || error.code === 'identity_withdrawn') {
      const path = rolesOf(role)[0];
      throw new SpikeError(
        'spiffe_no_identity',
        `the Workload API at ${endpoint} gives this process no identity for ${role}; ` +
          `create one: spike authority entry create --spiffe-id ${path} (with SPIRE: spire-server entry create)`,
        { cause: error },
      );
    }
    throw new SpikeError(
      'spiffe_no_agent',
      `no SPIFFE agent answers at ${endpoint}: ${error.message}; start the system with npm start, or set SPIFFE_ENDPOINT_SOCKET`,
      { cause: error },
    );
  }
}

function rolesOf(role: PilotRole): readonly string[] {
  if (role === 'pilot') return [rolePaths.superuser, rolePaths.recover, rolePaths.restore];
  if (role === 'approver') return [rolePaths.recover, rolePaths.superuser];
  return [rolePaths[role]];
}
