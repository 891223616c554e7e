import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { homeOf, readContext, type Context } from '@spike/config';
import { nexusTable, rolePaths, SecretPath } from '@spike/contract';
import { authorizeRole, openClient } from '@spike/sdk';
import { X509Source } from '@spike/spiffe';
import { repository, System, until } from '../../test/system.ts';
import type { BareSpec } from './bare.ts';
import { fill, type Filling } from './fill.ts';
import type { LoadResult, LoadSpec } from './load.ts';
import { ageMs, chooseCores, findPart, findParts, pin, type Cores } from './processor.ts';
import { filled, hot, pathOf } from './range.ts';

export const secretCount = 1_000;
export const valueBytes = 1_024;
/** Everything that is put there before a bench, on a machine that may be busy. */
const seedMs = 60_000;
const loadMs = 60_000;
const startMs = 60_000;
const seeders = 8;

/** Who is measured: a process, and where it listens. */
export interface Server {
  readonly pid: number;
  readonly port: number;
}

export type Load = Pick<LoadSpec, 'operation' | 'connections' | 'fresh' | 'seconds'> &
  Partial<Pick<LoadSpec, 'secrets' | 'count' | 'rate' | 'warmSeconds'>>;

export interface StageOptions {
  /** Of a system that runs already. */
  readonly home?: string;
  /** Of an administrator, in a system that has any. */
  readonly token?: string;
  /** Of a system to start, with what an earlier run left in it. */
  readonly keep?: string;
  readonly filling?: Filling;
  readonly env?: Readonly<Record<string, string>>;
}

/** A running SPIKE with the secrets of the bench, a policy for its workload, and the yardstick beside it. */
export class Stage implements AsyncDisposable {
  readonly bare: Server;
  readonly cores: Cores;
  #nexus: Server;
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
    this.#nexus = nexus;
    this.bare = bare;
    this.cores = cores;
    this.#stack = stack;
  }

  /** Starts a system, or takes the one that runs in `home`. */
  static async open(options: StageOptions = {}): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const { home, token, keep, filling, env } = options;
    // The interval that a system has which nobody tests.
    const context =
      home === undefined
        ? await stack
            .use(
              await System.start({
                args: ['--keeper-probe', '5s'],
                ...(keep === undefined ? {} : { home: keep }),
                ...(env === undefined ? {} : { env }),
              }),
            )
            .context()
        : await readContext(homeOf({ SPIKE_HOME: home }));
    if (context === undefined) throw new Error(`no system runs in ${home}`);
    await seed(context, token);
    if (keep !== undefined && filling !== undefined) await fill(context, keep, filling, valueBytes);
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

  get context(): Context {
    return this.#context;
  }

  get nexus(): Server {
    return this.#nexus;
  }

  /** Ends Nexus without a word and tells how long its successor takes from its start until it is ready, in milliseconds. */
  async restartNexus(): Promise<number> {
    const before = this.#nexus.pid;
    process.kill(before, 'SIGKILL');
    const { launcherPid, healthUrl } = this.#context;
    const pid = await until('another Nexus runs', () => {
      const [found] = findParts(launcherPid, 'nexus');
      return found === before ? undefined : found;
    });
    await until(
      'Nexus is ready',
      async () => (await fetch(`${healthUrl}/health/ready`).catch(() => undefined))?.ok,
      startMs,
    );
    const took = ageMs(pid);
    this.#nexus = { ...this.#nexus, pid };
    pin(pid, this.cores.server);
    return took;
  }

  /** Puts a load on one server from a process of its own. */
  async run(server: Server, load: Load): Promise<LoadResult> {
    const spec: LoadSpec = {
      ...place(this.#context, 'bench/load'),
      secrets: hot,
      count: secretCount,
      warmSeconds: Math.min(2, load.seconds / 2),
      ...load,
      port: server.port,
      serverPid: server.pid,
      valueBytes,
    };
    const child = spawnProgram('load.ts', spec);
    const timer = setTimeout(() => child.kill('SIGKILL'), loadMs + load.seconds * 1_000);
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

async function seed(context: Context, token?: string): Promise<void> {
  await using source = await X509Source.open({
    endpoint: context.endpointSocket,
    signal: AbortSignal.timeout(seedMs),
    pick: (svids) => svids.find(({ id }) => id.isBelow(rolePaths.superuser)),
  });
  const { trustDomain } = source.current().svid.id;
  using client = openClient({
    source,
    table: nexusTable,
    url: context.nexusUrl,
    authorize: authorizeRole('nexus', [trustDomain]),
    maxSockets: seeders,
    token: () => token,
  });
  const spiffeidPattern = `^${trustDomain.toString().replaceAll('.', '\\.')}/bench/load$`;
  const policies = [
    ['bench', `^${hot.prefix}/.*$`, ['read', 'write']],
    ['bench-fill', `^${filled.prefix}/.*$`, ['read', 'write']],
    // One directory, the same however many there are.
    ['bench-list', `^${filled.prefix}/7/.*$`, ['list']],
  ] as const;
  for (const [name, pathPattern, permissions] of policies) {
    await client.call.putPolicy({ name, spiffeidPattern, pathPattern, permissions: [...permissions] });
  }
  const values = { value: 'v'.repeat(valueBytes) };
  let next = 0;
  const put = async (): Promise<void> => {
    for (let index = next++; index < secretCount; index = next++) {
      await client.call.putSecret({ path: SecretPath.parse(pathOf(hot, index)), values });
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

/** A process of the bench, which ends with its standard input. */
export function spawnProgram(file: string, spec: object) {
  const program = join(repository, 'tool', 'bench', file);
  return spawn(process.execPath, [...process.execArgv, program, JSON.stringify(spec)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('a process of the bench ended without a result; its error is above');
}
