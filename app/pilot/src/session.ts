import { homeOf, readContext, variables } from '@spike/config';
import { nexusTable, rolePaths, SecretPath, type NexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { authorizeRole, openClient, type Client } from '@spike/sdk';
import { SpiffeError, TrustDomain, X509Source } from '@spike/spiffe';
import type { Invocation } from './invocation.ts';

/** `pilot`: whichever of the three roles this process has. */
export type PilotRole = 'superuser' | 'recover' | 'restore' | 'pilot';

export interface Session extends AsyncDisposable {
  readonly client: Client<NexusTable>;
  /** Who we are. */
  readonly id: string;
  path(text: string): SecretPath;
}

/** No agent is told within this; the start of the program comes on top, and the whole has to stay below 5 s. */
const agentMs = 2_500;
const deadlineMs = 30_000;
/** Shares travel under this key exchange or not at all. */
const shareGroup = 'X25519MLKEM768';

/** Gets an identity of the role from the Workload API and a client of Nexus that acts under it. */
export async function openSession(invocation: Invocation, role: PilotRole): Promise<Session> {
  const place = await findPlace(invocation);
  const source = await openSource(place.endpoint, role, invocation.signal);
  const { id } = source.current().svid;
  const carriesShares = role === 'recover' || role === 'restore';
  const client = openClient({
    source,
    table: nexusTable,
    url: place.url,
    authorize: authorizeRole('nexus', place.trustRoots ?? [id.trustDomain]),
    deadlineMs,
    ...(carriesShares ? { groups: [shareGroup], requireGroup: shareGroup } : {}),
  });
  return {
    client: client.call,
    id: id.toString(),
    path: (text) => SecretPath.parse(text),
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await source[Symbol.asyncDispose]();
    },
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

async function openSource(endpoint: string, role: PilotRole, signal: AbortSignal): Promise<X509Source> {
  try {
    return await X509Source.open({
      endpoint,
      firstAnswerMs: agentMs,
      signal,
      pick: (svids) => svids.find(({ id }) => rolesOf(role).some((path) => id.isBelow(path))),
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
  const all = [rolePaths.superuser, rolePaths.recover, rolePaths.restore];
  return role === 'pilot' ? all : [rolePaths[role]];
}
