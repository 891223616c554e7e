import { nexusTable, rolePaths, type NexusTable } from '@spike/contract';
import { AuthorityClient } from '@spike/registry';
import { authorizeRole, connect, openClient, type Client, type ConnectOptions, type Spike } from '@spike/sdk';
import { TrustDomain, X509Source } from '@spike/spiffe';
import { watched } from './known/call.ts';
import { until, type System } from './system.ts';

const openMs = 15_000;
const warningMs = 10_000;

/** The admin socket of a running system. */
export function authorityOf(system: System): AuthorityClient {
  return new AuthorityClient({ socketPath: system.home.adminSocket });
}

/** Makes this process a workload (among others that it is already) and connects it through the SDK. */
export async function openWorkload(
  system: System,
  path: string,
  options: ConnectOptions = {},
): Promise<Spike> {
  const { trustDomain, endpointSocket, nexusUrl } = await system.context();
  const spiffeId = `spiffe://${trustDomain}${path}`;
  await authorityOf(system).createEntry({ spiffeId, selectors: [`pid:${process.pid}`] });
  return watched(await connect({ ...options, env: {}, spiffeId, context: { endpointSocket, nexusUrl } }));
}

export interface RoleClient extends AsyncDisposable {
  readonly call: Client<NexusTable>;
  readonly source: X509Source;
}

/** Calls Nexus under any ID that the authority gives this process; the superuser's is there for our uid. */
export async function openCaller(
  system: System,
  path: string = rolePaths.superuser,
  options: { readonly retry?: boolean } = {},
): Promise<RoleClient> {
  const context = await system.context();
  const trustDomain = TrustDomain.parse(context.trustDomain);
  const id = `${trustDomain.toString()}${path}`;
  if (path !== rolePaths.superuser) {
    await authorityOf(system).createEntry({ spiffeId: id, selectors: [`pid:${process.pid}`] });
  }
  const source = await X509Source.open({
    endpoint: context.endpointSocket,
    pick: (svids) => svids.find((svid) => svid.id.toString() === id),
    firstAnswerMs: openMs,
    signal: new AbortController().signal,
  });
  const client = openClient({
    source,
    table: nexusTable,
    url: context.nexusUrl,
    authorize: authorizeRole('nexus', [trustDomain]),
    ...options,
  });
  return {
    call: watched({ ...client.call }),
    source,
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

/** Problems that stay: that a Keeper was slow to answer one probe is one until the next. */
export async function lastingProblems({ call }: RoleClient): Promise<readonly string[]> {
  const end = performance.now() + warningMs;
  return await until('problems pass, or stay', async () => {
    const { problems } = await call.status({ verify: false });
    return (problems.length === 0 || performance.now() > end) && problems;
  });
}
