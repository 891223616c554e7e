import assert from 'node:assert/strict';
import { join } from 'node:path';
import { rolePaths } from '@spike/contract';
import { X509Source } from '@spike/spiffe';
import { Process } from '../parts.ts';
import { openScratch, runProgram, until, type Outcome, type RunOptions } from '../system.ts';
import { placeExecutables, type Executable, type Part } from './executable.ts';
import { asObject, listOf } from './json.ts';
import type { Entry, Pace } from './server.ts';
import { Spire } from './spire.ts';

export interface InstallationOptions {
  readonly pace?: Pace;
  /** Life of the SVIDs of all entries, SPIRE's own hour unless told. */
  readonly ttlSeconds?: number;
  /** One layer, unless the test is about the second. */
  readonly adminAuth?: 'svid' | 'password';
}

const keeperCount = 3;
const deadlineMs = 120_000;
/** The ID of this test as a workload. */
export const workloadPath = '/workload/app';

/** Whose entry it is. */
export type Holder = Part | 'workload';

const pathOf: Readonly<Record<Holder, string>> = {
  nexus: rolePaths.nexus,
  keeper: rolePaths.keeper,
  bootstrap: rolePaths.bootstrap,
  pilot: rolePaths.superuser,
  workload: workloadPath,
};

/**
 * A whole SPIKE on a SPIRE of its own, as an operator sets it up: entries, Keepers, Nexus, Bootstrap. SPIRE tells the
 * parts apart by the paths of their executables, and takes this process for a workload.
 */
export class Installation implements AsyncDisposable {
  readonly spire: Spire;
  readonly executables: Readonly<Record<Part, Executable>>;
  readonly home: string;
  readonly #options: InstallationOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #entries = new Map<Holder, string>();
  readonly #keepers: Process[] = [];
  #nexus: Process | undefined;

  private constructor(
    spire: Spire,
    executables: Readonly<Record<Part, Executable>>,
    home: string,
    options: InstallationOptions,
    stack: AsyncDisposableStack,
  ) {
    this.spire = spire;
    this.executables = executables;
    this.home = home;
    this.#options = options;
    this.#stack = stack;
  }

  /** Everything runs and has a root key. */
  static async start(options: InstallationOptions = {}): Promise<Installation> {
    await using stack = new AsyncDisposableStack();
    const spire = stack.use(await Spire.start({ pace: options.pace ?? 'fast' }));
    const { path } = stack.use(await openScratch());
    const executables = await placeExecutables(path);
    const installation = new Installation(spire, executables, join(path, 'home'), options, stack.move());
    try {
      await installation.#setUp();
      return installation;
    } catch (error) {
      await installation[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nexus(): Process {
    assert(this.#nexus !== undefined);
    return this.#nexus;
  }

  get keepers(): readonly Process[] {
    return this.#keepers;
  }

  /** What a workload has to know. */
  get context(): { readonly endpointSocket: string; readonly nexusUrl: string } {
    return { endpointSocket: this.spire.agent.endpoint, nexusUrl: this.nexus.url };
  }

  id(holder: Holder): string {
    return this.spire.server.id(pathOf[holder]);
  }

  /** Gives a part, or this process as a workload, its identity. */
  async grant(...holders: readonly Holder[]): Promise<void> {
    const ids = await this.spire.server.createEntries(holders.map((holder) => this.#entryOf(holder)));
    for (const [index, holder] of holders.entries()) this.#entries.set(holder, ids[index] ?? '');
  }

  /** Takes it away: deletes the entry. */
  async withdraw(holder: Holder): Promise<void> {
    const id = this.#entries.get(holder);
    assert(id !== undefined, `${holder} has no entry`);
    await this.spire.server.deleteEntry(id);
    this.#entries.delete(holder);
  }

  /** Changes an entry that is there. */
  async change(holder: Holder, change: Partial<Entry>): Promise<void> {
    const id = this.#entries.get(holder);
    assert(id !== undefined, `${holder} has no entry`);
    await this.spire.server.updateEntry(id, { ...this.#entryOf(holder), ...change });
  }

  /** The identity of this process as a workload, from the agent. */
  async openSource(holder: 'workload'): Promise<X509Source> {
    return await X509Source.open({
      endpoint: this.spire.agent.endpoint,
      pick: (svids) => svids.find(({ id }) => id.path === pathOf[holder]),
      signal: new AbortController().signal,
    });
  }

  /** Runs the `spike` command. */
  async spike(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await this.#run(this.executables.pilot.command, args, options);
  }

  /** Runs it in the executable of somebody else, whom SPIRE takes it for. */
  async spikeAs(holder: Holder, args: readonly string[]): Promise<Outcome> {
    const [, ...program] = this.executables.pilot.command;
    return await this.#run([this.#executableOf(holder), ...program], args);
  }

  async bootstrap(timeout = '1m'): Promise<Outcome> {
    return await this.#run(this.executables.bootstrap.command, ['-init'], {
      env: { SPIKE_BOOTSTRAP_TIMEOUT: timeout },
    });
  }

  /** The same, and it must succeed; answers its standard output. */
  async mustSpike(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.spike(args, options);
    assert.equal(code, 0, `spike ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Lets this process, as a workload, do something with the secrets of these paths. */
  async allow(permissions: string, pathPattern: string): Promise<void> {
    const options = {
      '--name': 'app',
      '--path-pattern': pathPattern,
      '--spiffeid-pattern': `^${this.id('workload')}$`,
      '--permissions': permissions,
    };
    await this.mustSpike(['policy', 'create', ...Object.entries(options).flat()]);
  }

  /** Waits until Nexus says that these Keepers hold their share and the others do not, or do not answer. */
  async reachHolding(...ids: readonly number[]): Promise<void> {
    await this.#reachStatus(`the Keepers ${ids.join(', ')} hold their shares`, (status) => {
      const keepers = listOf(asObject(status['keepers']), 'list');
      const holding = keepers.filter(
        ({ reachable, holdsShare }) => reachable === true && holdsShare === true,
      );
      return holding.map(({ id }) => id).join() === ids.join();
    });
  }

  /** Waits until the newest answer of the agent has the identity of Nexus. */
  async reachHeld(): Promise<void> {
    await this.#reachStatus('Nexus holds its identity', (status) => {
      return asObject(status['identity'])['state'] === 'held';
    });
  }

  async startNexus(): Promise<void> {
    const env = {
      ...this.#env(),
      SPIKE_NEXUS_TLS_PORT: '127.0.0.1:0',
      SPIKE_NEXUS_HEALTH_PORT: '127.0.0.1:0',
      SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL: '100ms',
    };
    this.#nexus = this.#stack.use(await Process.start('nexus', this.executables.nexus.command, env));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  async #setUp(): Promise<void> {
    await this.grant('nexus', 'keeper', 'bootstrap', 'pilot', 'workload');
    for (let id = 1; id <= keeperCount; id++) {
      const env = { ...this.#env(), SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0' };
      this.#keepers.push(
        this.#stack.use(await Process.start('keeper', this.executables.keeper.command, env)),
      );
    }
    await this.startNexus();
    const { code, stderr } = await this.bootstrap();
    assert.equal(code, 0, stderr);
    // As the guide says: nobody needs it any more.
    await this.withdraw('bootstrap');
    await this.nexus.reach('ready');
  }

  #entryOf(holder: Holder): Entry {
    const { ttlSeconds } = this.#options;
    const path = this.#executableOf(holder);
    return {
      spiffeId: this.id(holder),
      selectors: [`unix:path:${path}`, `unix:uid:${process.geteuid?.() ?? 0}`],
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    };
  }

  async #reachStatus(
    what: string,
    isReached: (status: Readonly<Record<string, unknown>>) => boolean,
  ): Promise<void> {
    await until(
      what,
      async () => {
        const { code, stdout, stderr } = await this.spike(['status', '--format', 'json']);
        // With 1 it says that something is wrong, which it may be.
        assert.ok(code === 0 || code === 1, stderr);
        return isReached(asObject(asObject(JSON.parse(stdout))['nexus']));
      },
      deadlineMs,
    );
  }

  #executableOf(holder: Holder): string {
    return holder === 'workload' ? process.execPath : this.executables[holder].path;
  }

  async #run(
    [file = '', ...before]: readonly string[],
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<Outcome> {
    const env = { ...this.#env(), SPIKE_NEXUS_API_URL: this.nexus.url, ...options.env };
    return await runProgram(file, [...before, ...args], { deadlineMs, ...options, env });
  }

  #env(): Readonly<Record<string, string>> {
    return {
      SPIKE_HOME: this.home,
      SPIFFE_ENDPOINT_SOCKET: this.spire.agent.endpoint,
      SPIKE_TRUST_ROOT: this.spire.server.trustDomain,
      SPIKE_NEXUS_ADMIN_AUTH: this.#options.adminAuth ?? 'svid',
      SPIKE_NEXUS_SHAMIR_SHARES: String(keeperCount),
      SPIKE_NEXUS_SHAMIR_THRESHOLD: '2',
      SPIKE_NEXUS_KEEPER_PEERS: this.#keepers.map(({ url }) => url).join(','),
    };
  }
}
