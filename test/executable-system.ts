import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AuthorityClient, type RegistrationEntry } from '@spike/registry';
import { buildExecutables, type ExecutableName } from './executable.ts';
import { learnPlaces, searchWritten } from './known/place.ts';
import { openScratch, runProgram, until, type Outcome, type RunOptions } from './system.ts';

const trustDomain = 'executable.test';
const keeperCount = 3;
const startMs = 120_000;

/** A part that serves: what it announced, and what it has logged. */
export class RunningPart implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #announced: { readonly port?: number; readonly healthPort?: number } | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    const { stdout, stderr } = child;
    assert(stdout !== null && stderr !== null);
    createInterface({ input: stderr }).on('line', (line) => this.#lines.push(line));
    createInterface({ input: stdout }).on('line', (line) => {
      this.#announced = JSON.parse(line) as { port: number };
    });
  }

  get pid(): number {
    assert(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get announced(): { readonly port?: number; readonly healthPort?: number } | undefined {
    return this.#announced;
  }

  get log(): string {
    return this.#lines.join('\n');
  }

  /** How often it has logged this event. */
  count(event: string): number {
    return this.#lines.filter((line) => line.includes(`"${event}"`)).length;
  }

  async serves(): Promise<void> {
    await until(
      'the part serves',
      () => {
        assert(this.running, `it ended:\n${this.log}`);
        return this.#announced;
      },
      startMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await until('it has ended', () => !this.running);
  }
}

/**
 * A system of executables: the authority that `spike` holds, Keepers, Nexus and Bootstrap. This process is their launcher
 * and registers them; the authority lets a part be one only when it also runs the right file.
 */
export class ExecutableSystem implements AsyncDisposable {
  readonly directory: string;
  readonly home: string;
  readonly admin: AuthorityClient;
  readonly #stack: AsyncDisposableStack;
  readonly #parts: RunningPart[];
  readonly #keeperUrls: string[] = [];
  #nexus: RunningPart | undefined;

  private constructor(directory: string, home: string, parts: RunningPart[], stack: AsyncDisposableStack) {
    this.directory = directory;
    this.home = home;
    this.#parts = parts;
    this.#stack = stack;
    this.admin = new AuthorityClient({ socketPath: join(home, 'admin', 's') });
  }

  /** With an authority that knows who each part is, and no part yet. */
  static async open(): Promise<ExecutableSystem> {
    const directory = await buildExecutables();
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await openScratch());
    const parts: RunningPart[] = [];
    // When they have ended, and before what they wrote is gone.
    stack.defer(() =>
      searchWritten(path, { 'the logs of its parts': parts.map(({ log }) => log).join('\n') }),
    );
    const system = new ExecutableSystem(directory, path, parts, stack.move());
    try {
      await system.#startAuthority();
      return system;
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nexus(): RunningPart {
    assert(this.#nexus !== undefined);
    return this.#nexus;
  }

  path(name: ExecutableName): string {
    return join(this.directory, name);
  }

  /** Selectors of a part, which has to be registered and to run this file, at this place. */
  async selectorsOf(name: 'nexus' | 'keeper' | 'bootstrap'): Promise<readonly string[]> {
    return [`part:${name}`, ...(await this.#fileSelectors(name))];
  }

  async register(spiffeId: string, selectors: readonly string[]): Promise<RegistrationEntry> {
    const { entry } = await this.admin.createEntry({
      spiffeId: `spiffe://${trustDomain}${spiffeId}`,
      selectors,
    });
    return entry;
  }

  async startKeepers(): Promise<void> {
    for (let id = 1; id <= keeperCount; id++) {
      const keeper = await this.start('keeper', this.path('keeper'), {
        SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0',
      });
      await keeper.serves();
      this.#keeperUrls.push(`https://127.0.0.1:${keeper.announced?.port}`);
    }
  }

  async startNexus(): Promise<void> {
    this.#nexus = await this.start('nexus', this.path('nexus'), {
      SPIKE_NEXUS_TLS_PORT: '127.0.0.1:0',
      SPIKE_NEXUS_HEALTH_PORT: '127.0.0.1:0',
      SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL: '100ms',
    });
    await this.#nexus.serves();
  }

  async bootstrap(): Promise<void> {
    const bootstrap = await this.start('bootstrap', this.path('bootstrap'), {}, ['-init']);
    await until('Bootstrap has ended', () => !bootstrap.running, startMs);
    assert.ok(bootstrap.log.includes('"bootstrap.done"'), bootstrap.log);
  }

  /** Starts a program as a part and tells the authority so, whatever program it is. */
  async start(
    part: 'nexus' | 'keeper' | 'bootstrap',
    file: string,
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
  ): Promise<RunningPart> {
    const running = this.#spawn(file, args, { ...this.env(), ...env });
    await this.admin.registerPart({ pid: running.pid, part });
    return running;
  }

  async state(): Promise<string | undefined> {
    const url = `http://127.0.0.1:${this.nexus.announced?.healthPort}/health/ready`;
    const answer = await fetch(url).catch(() => undefined);
    return ((await answer?.json().catch(() => undefined)) as { state?: string } | undefined)?.state;
  }

  async spike(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    // The init code is gone when somebody used it.
    await learnPlaces(this.home);
    return await runProgram(this.path('spike'), args, { ...options, env: { ...this.env(), ...options.env } });
  }

  async mustSpike(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.spike(args, options);
    assert.equal(code, 0, `spike ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  }

  env(): Readonly<Record<string, string>> {
    const nexusPort = this.#nexus?.announced?.port;
    return {
      SPIKE_HOME: this.home,
      SPIFFE_ENDPOINT_SOCKET: `unix://${join(this.home, 'agent', 's')}`,
      SPIKE_TRUST_ROOT: trustDomain,
      SPIKE_NEXUS_SHAMIR_SHARES: String(keeperCount),
      SPIKE_NEXUS_SHAMIR_THRESHOLD: '2',
      ...(this.#keeperUrls.length === 0 ? {} : { SPIKE_NEXUS_KEEPER_PEERS: this.#keeperUrls.join(',') }),
      ...(nexusPort === undefined ? {} : { SPIKE_NEXUS_API_URL: `https://127.0.0.1:${nexusPort}` }),
    };
  }

  async #startAuthority(): Promise<void> {
    const authority = this.#spawn(
      this.path('spike'),
      [
        'authority',
        'serve',
        '--await-launcher',
        `--trust-domain=${trustDomain}`,
        `--state=${join(this.home, 'authority')}`,
        `--socket=${join(this.home, 'agent', 's')}`,
        `--admin-socket=${join(this.home, 'admin', 's')}`,
      ],
      { SPIKE_HOME: this.home },
    );
    await authority.serves();
    for (const name of ['nexus', 'keeper', 'bootstrap'] as const)
      await this.register(`/spike/${name}`, await this.selectorsOf(name));
    await this.register('/spike/pilot/role/superuser', await this.#fileSelectors('spike'));
    await this.admin.reportReady();
  }

  async #fileSelectors(name: ExecutableName): Promise<readonly string[]> {
    const sums = await readFile(join(this.directory, 'SHA256SUMS'), 'utf8');
    const [sha256 = ''] =
      sums
        .split('\n')
        .find((line) => line.endsWith(`  ${name}`))
        ?.split(' ') ?? [];
    return [`sha256:${sha256}`, `path:${this.path(name)}`];
  }

  #spawn(file: string, args: readonly string[], env: Readonly<Record<string, string>>): RunningPart {
    const child = spawn(file, args, {
      // Supervised, it ends with us, however we end.
      env: { ...process.env, ...env, SPIKE_SUPERVISED: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const part = this.#stack.use(new RunningPart(child));
    this.#parts.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}
