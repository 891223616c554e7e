import assert from 'node:assert/strict';
import { join } from 'node:path';
import { rolePaths } from '@spike/contract';
import { X509Source } from '@spike/spiffe';
import { flags } from '../../bin/runtime.mjs';
import { searchWritten } from '../known/place.ts';
import { mainOf, Process, type Logs } from '../parts.ts';
import { openScratch, runProgram, until, type Outcome, type RunOptions } from '../system.ts';
import { knownExecutables, placeStandIn, type Known, type Part } from './executable.ts';
import { asObject, listOf } from './json.ts';
import type { Entry, Pace } from './server.ts';
import { Spire } from './spire.ts';
import { Witness } from './witness.ts';

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
 * A whole SPIKE on a SPIRE of its own, as an operator sets it up: entries, Keepers, Nexus, Bootstrap, all of them
 * executables. This process is a workload. Each part has a stand-in besides, with an entry of its own that gives it the
 * same identity: for a test that has to see what the part is told, or to be taken for it.
 */
export class Installation implements AsyncDisposable {
  readonly spire: Spire;
  readonly home: string;
  readonly #programs: Readonly<Record<Part, Known>>;
  readonly #standIns: Readonly<Record<Part, Known>>;
  readonly #options: InstallationOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #entries = new Map<Holder, readonly string[]>();
  readonly #keepers: Process[] = [];
  /** Of all its processes, also of those that have ended. */
  readonly #logs: Logs;
  #nexus: Process | undefined;

  private constructor(
    spire: Spire,
    home: string,
    programs: Readonly<Record<Part, Known>>,
    standIns: Readonly<Record<Part, Known>>,
    options: InstallationOptions,
    logs: Logs,
    stack: AsyncDisposableStack,
  ) {
    this.spire = spire;
    this.home = home;
    this.#programs = programs;
    this.#standIns = standIns;
    this.#options = options;
    this.#logs = logs;
    this.#stack = stack;
  }

  /** Everything runs and has a root key. */
  static async start(options: InstallationOptions = {}): Promise<Installation> {
    await using stack = new AsyncDisposableStack();
    const spire = stack.use(await Spire.start({ pace: options.pace ?? 'fast' }));
    const { path } = stack.use(await openScratch());
    const logs: Logs = [];
    // When they have ended, and before what they wrote is gone.
    stack.defer(() => searchWritten(path, { 'the logs of its parts': logs.flat().join('\n') }));
    const standIns = await placeStandIns(join(path, 'stand-in'));
    const programs = await knownExecutables();
    const home = join(path, 'home');
    const installation = new Installation(spire, home, programs, standIns, options, logs, stack.move());
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
    const entries = holders.map((holder) => this.#entriesOf(holder));
    const ids = await this.spire.server.createEntries(entries.flat());
    let first = 0;
    for (const [index, holder] of holders.entries()) {
      const end = first + (entries[index]?.length ?? 0);
      this.#entries.set(holder, ids.slice(first, end));
      first = end;
    }
  }

  /** Takes it away: deletes its entries. */
  async withdraw(holder: Holder): Promise<void> {
    await this.spire.server.deleteEntries(this.#idsOf(holder));
    this.#entries.delete(holder);
  }

  /** Changes the entries of a holder that has them. */
  async change(holder: Holder, change: Partial<Entry>): Promise<void> {
    const entries = this.#entriesOf(holder);
    for (const [index, id] of this.#idsOf(holder).entries()) {
      const entry = entries[index];
      assert(entry !== undefined);
      await this.spire.server.updateEntry(id, { ...entry, ...change });
    }
  }

  /** Gives a holder other identities besides its own; answers the IDs of their entries, in the same order. */
  async grantOthers(
    holder: Holder,
    others: readonly { readonly path: string; readonly hint?: string }[],
  ): Promise<readonly (readonly string[])[]> {
    return await Promise.all(
      others.map(async ({ path, ...hint }) => {
        const spiffeId = this.spire.server.id(path);
        const entries = this.#entriesOf(holder).map((entry) => ({ ...entry, ...hint, spiffeId }));
        return await this.spire.server.createEntries(entries);
      }),
    );
  }

  /** Somebody who sees what the agent tells this part. */
  async startWitness(part: Part): Promise<Witness> {
    return await Witness.start(this.#standIns[part].path, this.spire.agent.endpoint);
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
    return await this.#run([this.#programs.pilot.path], args, options);
  }

  /** Runs the same command in a process that SPIRE takes for somebody else's. */
  async spikeAs(holder: Holder, args: readonly string[]): Promise<Outcome> {
    const node = holder === 'workload' ? process.execPath : this.#standIns[holder].path;
    return await this.#run([node, ...flags, mainOf('pilot')], args);
  }

  async bootstrap(timeout = '1m'): Promise<Outcome> {
    return await this.#run([this.#programs.bootstrap.path], ['-init'], {
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
    this.#nexus = await this.#start('nexus', env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  async #setUp(): Promise<void> {
    await this.grant('nexus', 'keeper', 'bootstrap', 'pilot', 'workload');
    for (let id = 1; id <= keeperCount; id++) {
      const env = { ...this.#env(), SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0' };
      this.#keepers.push(await this.#start('keeper', env));
    }
    await this.startNexus();
    const { code, stderr } = await this.bootstrap();
    assert.equal(code, 0, stderr);
    // As the guide says: nobody needs it any more.
    await this.withdraw('bootstrap');
    await this.nexus.reach('ready');
  }

  async #start(part: 'nexus' | 'keeper', env: Readonly<Record<string, string>>): Promise<Process> {
    const started = this.#stack.use(await Process.start(part, [this.#programs[part].path], env));
    this.#logs.push(started.log);
    return started;
  }

  #entriesOf(holder: Holder): readonly Entry[] {
    const { ttlSeconds } = this.#options;
    const selectors =
      holder === 'workload'
        ? [`unix:path:${process.execPath}`]
        : [this.#programs[holder].selector, this.#standIns[holder].selector];
    return selectors.map((selector) => ({
      spiffeId: this.id(holder),
      selectors: [selector, `unix:uid:${process.geteuid?.() ?? 0}`],
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    }));
  }

  #idsOf(holder: Holder): readonly string[] {
    const ids = this.#entries.get(holder);
    assert(ids !== undefined, `${holder} has no entry`);
    return ids;
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

async function placeStandIns(directory: string): Promise<Readonly<Record<Part, Known>>> {
  const [nexus, keeper, bootstrap, pilot] = await Promise.all([
    placeStandIn(directory, 'nexus'),
    placeStandIn(directory, 'keeper'),
    placeStandIn(directory, 'bootstrap'),
    placeStandIn(directory, 'pilot'),
  ]);
  return { nexus, keeper, bootstrap, pilot };
}
