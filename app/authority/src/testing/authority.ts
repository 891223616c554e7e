import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import { AuthorityClient } from '@spike/registry';

const timeoutMs = 30_000;
const run = promisify(execFile);
const node = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;
const cache = getCompileCacheDir();
/** Nothing of ours but where the code lies compiled. */
const environment = cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };

const main = join(import.meta.dirname, '..', 'main.ts');

export function fixture(name: 'workload' | 'run' | 'admin'): string {
  return join(import.meta.dirname, `${name}.ts`);
}

/** An entry to create, or a part to register; without a pid the stranger itself. */
export type StrangerCall =
  | { readonly spiffeId: string; readonly selectors?: readonly string[] }
  | { readonly part: string; readonly pid?: number };

/** What a workload printed. */
export interface Told {
  readonly kind: string;
  /** Paths of the SPIFFE IDs, in the order of the answer. */
  readonly ids: readonly string[];
  readonly serials: readonly string[];
  readonly pid: number;
}

/** A system of one authority, in a directory of its own. The test's process is its launcher. */
export class TestAuthority implements AsyncDisposable {
  readonly directory: string;
  readonly admin: AuthorityClient;
  readonly log: string[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #flags: readonly string[];
  #authority: ChildProcess | undefined;

  private constructor(directory: string, flags: readonly string[]) {
    this.directory = directory;
    this.#flags = flags;
    this.admin = new AuthorityClient({ socketPath: this.adminSocket });
  }

  static async start(...flags: readonly string[]): Promise<TestAuthority> {
    const authority = new TestAuthority(await mkdtemp(join(tmpdir(), 'spike-authority-')), flags);
    await authority.start();
    return authority;
  }

  get socket(): string {
    return join(this.directory, 'agent', 's');
  }

  get adminSocket(): string {
    return join(this.directory, 'admin', 's');
  }

  get pid(): number {
    return this.#authority?.pid ?? 0;
  }

  /** Resolves when it serves; rejects with its log when it does not come up. */
  async start(): Promise<void> {
    const child = this.spawnAuthority();
    this.#authority = child;
    const lines = createInterface({ input: child.stdout ?? process.stdin });
    const ready = once(lines, 'line', { signal: AbortSignal.timeout(timeoutMs) });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(this.log.join('\n'))));
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
  }

  spawnAuthority(): ChildProcess {
    const places = ['--state', join(this.directory, 'state'), '--socket', this.socket];
    const child = spawn(
      node[0],
      [node[1], main, ...places, '--admin-socket', this.adminSocket, ...this.#flags],
      { env: { ...environment, SPIKE_SUPERVISED: '1' }, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#children.add(child);
    createInterface({ input: child.stderr }).on('line', (line) => this.log.push(line));
    return child;
  }

  /** A launcher that is not the test, so that it can be killed; its authority keeps no pipe to it but its output. */
  async startUnderParent(): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
    const places = ['--state', join(this.directory, 'b'), '--socket', join(this.directory, 'b1', 's')];
    const args = [node[1], main, ...places, '--admin-socket', join(this.directory, 'b2', 's')];
    const source =
      `const { spawn } = require('node:child_process');` +
      `spawn(process.execPath, ${JSON.stringify(args)}, { stdio: ['ignore', 'inherit', 'ignore'] });`;
    const child = spawn(node[0], ['--eval', source], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    const lines = createInterface({ input: child.stdout });
    const [line] = await once(lines, 'line', { signal: AbortSignal.timeout(timeoutMs) });
    const { pid }: { pid: number } = JSON.parse(String(line));
    return { child, pid };
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#authority;
    if (child === undefined || child.exitCode !== null) return null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  /** A child of the launcher that watches the Workload API, or what becomes of one by a command of its own. */
  startWorkload(command: readonly string[] = this.workloadCommand): Workload {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.add(child);
    return new Workload(child);
  }

  get workloadCommand(): readonly string[] {
    return [...node, fixture('workload'), this.socket];
  }

  runCommand(id: string, command: readonly string[]): readonly string[] {
    return [...node, fixture('run'), this.adminSocket, id, ...command];
  }

  /** Lets a process that is not the launcher ask. */
  async askAsStranger(...calls: readonly StrangerCall[]): Promise<readonly string[]> {
    const args = [node[1], fixture('admin'), this.adminSocket, JSON.stringify(calls)];
    const outcomes: readonly string[] = JSON.parse((await run(node[0], args, { timeout: timeoutMs })).stdout);
    return outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await rm(this.directory, { recursive: true });
  }
}

export class Workload {
  readonly #child: ChildProcess;
  readonly #told: Told[] = [];
  readonly #lines: Interface;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout ?? process.stdin });
    this.#lines.on('line', (line) => {
      const told: Told = JSON.parse(line);
      this.#told.push(told);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The first thing told, not asked for before, that is as wanted. */
  async until(isWanted: (told: Told) => boolean): Promise<Told> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const told = this.#told.shift();
      if (told === undefined) await once(this.#lines, 'line', { signal });
      else if (isWanted(told)) return told;
    }
  }

  async untilIds(...ids: readonly string[]): Promise<Told> {
    return this.until((told) => JSON.stringify(told.ids) === JSON.stringify(ids));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
