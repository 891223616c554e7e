import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { homeOf, readContext, type Context } from '@spike/config';
import { nexusTable, rolePaths, SecretPath } from '@spike/contract';
import { authorizeRole, openClient } from '@spike/sdk';
import { X509Source } from '@spike/spiffe';
import { repository, System } from '../../test/system.ts';
import type { BareSpec } from './bare.ts';
import type { LoadResult, LoadSpec } from './load.ts';
import { chooseCores, findPart, pin, type Cores } from './processor.ts';

export const secretCount = 1_000;
export const valueBytes = 1_024;
const prefix = 'bench/secret';
const openMs = 10_000;
const loadMs = 60_000;
const seeders = 8;

/** Who is measured: a process, and where it listens. */
export interface Server {
  readonly pid: number;
  readonly port: number;
}

export type Load = Pick<LoadSpec, 'operation' | 'connections' | 'fresh' | 'seconds'>;

/** A running SPIKE with the secrets of the bench, a policy for its workload, and the yardstick beside it. */
export class Stage implements AsyncDisposable {
  readonly nexus: Server;
  readonly bare: Server;
  readonly cores: Cores;
  readonly #context: Context;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    context: Context,
    nexus: Server,
    bare: Server,
    cores: Cores,
    stack: AsyncDisposableStack,
  ) {
    this.#context = context;
    this.nexus = nexus;
    this.bare = bare;
    this.cores = cores;
    this.#stack = stack;
  }

  /** Starts a system of its own, or takes the one that runs in `home`. */
  static async open(home?: string): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    // The interval that a system has which nobody tests.
    const context =
      home === undefined
        ? await stack.use(await System.start({ args: ['--keeper-probe', '5s'] })).context()
        : await readContext(homeOf({ SPIKE_HOME: home }));
    if (context === undefined) throw new Error(`no system runs in ${home}`);
    await seed(context);
    const cores = chooseCores();
    const nexus = {
      pid: findPart(context.launcherPid, 'nexus'),
      port: Number(new URL(context.nexusUrl).port),
    };
    pin(nexus.pid, cores.server);
    const bare = stack.use(await startBare(context));
    pin(bare.pid, cores.server);
    return new Stage(context, nexus, bare, cores, stack.move());
  }

  /** Puts a load on one server from a process of its own. */
  async run(server: Server, load: Load): Promise<LoadResult> {
    const spec: LoadSpec = {
      ...place(this.#context, 'bench/load'),
      ...load,
      port: server.port,
      serverPid: server.pid,
      prefix,
      count: secretCount,
      valueBytes,
      warmSeconds: Math.min(2, load.seconds / 2),
    };
    const child = spawnProgram('load.ts', spec);
    const timer = setTimeout(() => child.kill('SIGKILL'), loadMs);
    try {
      if (child.pid !== undefined) pin(child.pid, this.cores.load);
      return JSON.parse(await firstLine(child.stdout)) as LoadResult;
    } finally {
      clearTimeout(timer);
      child.stdin.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function seed(context: Context): Promise<void> {
  await using source = await X509Source.open({
    endpoint: context.endpointSocket,
    signal: AbortSignal.timeout(openMs),
    pick: (svids) => svids.find(({ id }) => id.isBelow(rolePaths.superuser)),
  });
  const { trustDomain } = source.current().svid.id;
  using client = openClient({
    source,
    table: nexusTable,
    url: context.nexusUrl,
    authorize: authorizeRole('nexus', [trustDomain]),
    maxSockets: seeders,
  });
  await client.call.putPolicy({
    name: 'bench',
    spiffeidPattern: `^${trustDomain.toString().replaceAll('.', '\\.')}/bench/load$`,
    pathPattern: `^${prefix}/.*$`,
    permissions: ['read', 'write'],
  });
  const values = { value: 'v'.repeat(valueBytes) };
  let next = 0;
  const put = async (): Promise<void> => {
    for (let index = next++; index < secretCount; index = next++) {
      await client.call.putSecret({ path: SecretPath.parse(`${prefix}/${index}`), values });
    }
  };
  await Promise.all(Array.from({ length: seeders }, put));
}

async function startBare(context: Context): Promise<Server & AsyncDisposable> {
  const spec: BareSpec = {
    ...place(context, 'bench/bare'),
    // As long as what Nexus answers to a get.
    answer: JSON.stringify({ data: { value: 'v'.repeat(valueBytes) }, version: 1 }),
  };
  const child = spawnProgram('bare.ts', spec);
  const { port } = JSON.parse(await firstLine(child.stdout)) as { readonly port: number };
  if (child.pid === undefined) throw new Error('the yardstick did not start');
  return {
    pid: child.pid,
    port,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

function place(context: Context, path: string) {
  const { adminSocket, endpointSocket: endpoint, trustDomain } = context;
  return { adminSocket, endpoint, spiffeId: `spiffe://${trustDomain}/${path}` };
}

function spawnProgram(file: string, spec: object) {
  const program = join(repository, 'tool', 'bench', file);
  return spawn(process.execPath, [...process.execArgv, program, JSON.stringify(spec)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('a process of the bench ended without a result; its error is above');
}
