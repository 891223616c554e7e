import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { keeperTable, nexusTable, rolePaths, type Table } from '@spike/contract';
import { authorizeRole, openClient, type Client, type OpenedClient } from '@spike/sdk';
import { X509Source } from '@spike/spiffe';
import { TestAgent } from '@spike/spiffe/testing';
import { watched } from './known/call.ts';
import { searchWritten } from './known/place.ts';
import { openScratch, repository, runProgram, until, type Outcome } from './system.ts';

const trustDomain = 'parts.test';
const workload = '/workload/app';
const openMs = 15_000;
const keeperCount = 3;

/** Lines, for each process. */
export type Logs = (readonly string[])[];

interface Announcement {
  readonly port: number;
  readonly healthPort?: number;
}

/** A process of one part that serves. */
export class Process implements AsyncDisposable {
  readonly port: number;
  readonly healthPort: number;
  readonly #child: ChildProcess;
  readonly #log: readonly string[];

  private constructor(child: ChildProcess, announced: Announcement, log: readonly string[]) {
    this.#child = child;
    this.port = announced.port;
    this.healthPort = announced.healthPort ?? 0;
    this.#log = log;
  }

  /** Starts it, and waits until it says where it serves. */
  static async start(
    name: string,
    [file = '', ...args]: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Process> {
    const child = spawn(file, args, {
      // Supervised, it ends with us, however we end.
      env: { ...process.env, ...env, SPIKE_SUPERVISED: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const log: string[] = [];
    let ready: Announcement | undefined;
    createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
    createInterface({ input: child.stdout }).on('line', (line) => (ready = JSON.parse(line) as Announcement));
    const announced = await until(`${name} serves`, () => {
      assert.equal(child.exitCode, null, `${name} ended:\n${log.join('\n')}`);
      return ready;
    });
    return new Process(child, announced, log);
  }

  /** The lines that it logged until now. */
  get log(): readonly string[] {
    return this.#log;
  }

  get pid(): number {
    assert(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The state that Nexus tells on its health port. */
  async state(): Promise<string | undefined> {
    const answer = await fetch(`http://127.0.0.1:${this.healthPort}/health/ready`).catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as { state?: string } | undefined;
    return body?.state;
  }

  async reach(state: string): Promise<void> {
    await until(`Nexus is ${state}`, async () => (await this.state()) === state, openMs);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.running) this.#child.kill(signal);
    await until('it has ended', () => !this.running);
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

/**
 * Keepers, Nexus and Bootstrap as processes of their own, without the launcher: a test starts and kills each of them
 * itself, and its agent gives every identity to everybody, so that the test can be whoever it wants.
 */
export class Parts implements AsyncDisposable {
  readonly home: string;
  readonly agent: TestAgent;
  readonly #stack: AsyncDisposableStack;
  readonly #keeperPorts = new Map<number, number>();
  readonly #keepers = new Map<number, Process>();
  #nexus: Process | undefined;
  /** Of all its processes, also of those that have ended. */
  readonly #logs: Logs;

  private constructor(home: string, agent: TestAgent, logs: Logs, stack: AsyncDisposableStack) {
    this.home = home;
    this.agent = agent;
    this.#logs = logs;
    this.#stack = stack;
  }

  static async open(): Promise<Parts> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await openScratch());
    const logs: Logs = [];
    // When they have ended, and before what they wrote is gone.
    stack.defer(() => searchWritten(path, { 'the logs of its parts': logs.flat().join('\n') }));
    const agent = stack.use(await TestAgent.open(trustDomain));
    agent.say(agent.issue([...Object.values(rolePaths), workload]));
    return new Parts(path, agent, logs, stack.move());
  }

  /** Three Keepers, Nexus (with this environment besides) and a root key. */
  static async bootstrapped(env: Readonly<Record<string, string>> = {}): Promise<Parts> {
    const parts = await Parts.open();
    try {
      await parts.startKeepers();
      await parts.startNexus(env);
      const { code, stderr } = await parts.bootstrap();
      assert.equal(code, 0, stderr);
      await parts.nexus.reach('ready');
      return parts;
    } catch (error) {
      await parts[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nexus(): Process {
    assert(this.#nexus !== undefined);
    return this.#nexus;
  }

  keeper(id: number): Process {
    const keeper = this.#keepers.get(id);
    assert(keeper !== undefined);
    return keeper;
  }

  async startKeepers(): Promise<void> {
    const ids = Array.from({ length: keeperCount }, (_, index) => index + 1);
    await Promise.all(ids.map((id) => this.startKeeper(id)));
  }

  /** A Keeper with nothing in its memory, at the address that it had before. */
  async startKeeper(id: number): Promise<void> {
    const port = this.#keeperPorts.get(id) ?? 0;
    const keeper = await this.start('keeper', { SPIKE_KEEPER_TLS_PORT: `127.0.0.1:${port}` });
    this.#keeperPorts.set(id, keeper.port);
    this.#keepers.set(id, keeper);
  }

  /** A Keeper that is none of ours listens here. */
  placeKeeper(id: number, port: number): void {
    this.#keeperPorts.set(id, port);
  }

  async startNexus(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#nexus = await this.start('nexus', {
      SPIKE_NEXUS_TLS_PORT: '127.0.0.1:0',
      SPIKE_NEXUS_HEALTH_PORT: '127.0.0.1:0',
      SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL: '100ms',
      ...env,
    });
  }

  /** Runs Bootstrap to its end. */
  async bootstrap(): Promise<Outcome> {
    return await this.run('bootstrap', ['-init'], {
      SPIKE_NEXUS_API_URL: this.nexus.url,
      SPIKE_BOOTSTRAP_TIMEOUT: '20s',
    });
  }

  async run(
    app: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    return await runProgram(process.execPath, [mainOf(app), ...args], { env: { ...this.#env(), ...env } });
  }

  async start(app: string, env: Readonly<Record<string, string>>): Promise<Process> {
    const command = [process.execPath, mainOf(app)];
    const started = this.#stack.use(await Process.start(app, command, { ...this.#env(), ...env }));
    this.#logs.push(started.log);
    return started;
  }

  /** A source of the identity at this path. */
  async identity(path: string): Promise<X509Source> {
    return this.#stack.use(
      await X509Source.open({
        endpoint: this.agent.endpoint,
        pick: (svids) => svids.find(({ id }) => id.path === path),
        firstAnswerMs: openMs,
        signal: new AbortController().signal,
      }),
    );
  }

  /** Calls Nexus as whoever has this path, and under a session where one is given, with no second try. */
  async callNexus(
    path: string = rolePaths.superuser,
    token?: () => string | undefined,
  ): Promise<Client<typeof nexusTable>> {
    const source = await this.identity(path);
    const trusted = [this.agent.authority.trustDomain];
    return this.#own(
      openClient({
        source,
        table: nexusTable,
        url: this.nexus.url,
        authorize: authorizeRole('nexus', trusted),
        // A password takes several hashes, each of them seconds on a machine that is busy.
        deadlineMs: 60_000,
        ...(token === undefined ? {} : { token }),
      }),
    );
  }

  async callKeeper(id: number, path: string = rolePaths.nexus): Promise<Client<typeof keeperTable>> {
    const source = await this.identity(path);
    const trusted = [this.agent.authority.trustDomain];
    const url = this.keeperUrls()[id - 1] ?? '';
    return this.#own(
      openClient({ source, table: keeperTable, url, authorize: authorizeRole('keeper', trusted) }),
    );
  }

  /** Waits until Nexus says that each of these Keepers, and all others too, hold their share or do not. */
  async reachHolding(...ids: readonly number[]): Promise<void> {
    const call = await this.callNexus();
    await this.reachHoldingBy(call, ...ids);
  }

  /** The same, asked by somebody who is told the details. */
  async reachHoldingBy(
    call: Pick<Client<typeof nexusTable>, 'status'>,
    ...ids: readonly number[]
  ): Promise<void> {
    await until(`the Keepers ${ids.join(', ')} hold their shares`, async () => {
      const { keepers } = await call.status({ verify: false });
      const holding = keepers.list.filter(({ holdsShare }) => holdsShare).map(({ id }) => id);
      return holding.join() === ids.join();
    });
  }

  keeperUrls(): readonly string[] {
    return Array.from({ length: keeperCount }, (_, index) => {
      // A Keeper that was never started has an address where nobody listens.
      return `https://127.0.0.1:${this.#keeperPorts.get(index + 1) ?? 1}`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  #own<T extends Table>(client: OpenedClient<T>): Client<T> {
    return watched({ ...this.#stack.use(client).call });
  }

  #env(): Readonly<Record<string, string>> {
    return {
      SPIKE_HOME: join(this.home, 'home'),
      SPIFFE_ENDPOINT_SOCKET: this.agent.endpoint,
      SPIKE_TRUST_ROOT: trustDomain,
      SPIKE_NEXUS_ADMIN_AUTH: 'svid',
      SPIKE_NEXUS_SHAMIR_SHARES: String(keeperCount),
      SPIKE_NEXUS_SHAMIR_THRESHOLD: '2',
      SPIKE_NEXUS_KEEPER_PEERS: this.keeperUrls().join(','),
    };
  }
}

/** The program of a part, run from source. */
export function mainOf(app: string): string {
  return join(repository, 'app', app, 'src', 'main.ts');
}
