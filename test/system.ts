import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { homeOf, readContext, type Context, type Home } from '@spike/config';
import { learnCommand, searchPrinted, wordsOf } from './known/command.ts';
import { learnPlaces, searchScratch, searchWritten } from './known/place.ts';

export const repository = dirname(dirname(fileURLToPath(import.meta.url)));

const startMs = 60_000;
const commandMs = 60_000;
const pollMs = 20;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Above what it takes on a machine that is busy; it is killed then. */
  readonly deadlineMs?: number;
}

/** A directory of its own for one test, gone afterwards; what systems wrote there is searched for what leaked. */
export async function openScratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'spike-test-'));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      try {
        await searchScratch(path);
      } finally {
        await rm(path, { recursive: true, force: true });
      }
    },
  };
}

/** Waits for a condition, never for a time; fails with its name at the deadline. */
export async function until<Value>(
  what: string,
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  deadlineMs = startMs,
): Promise<Value> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    assert(performance.now() < end, `it did not happen within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(() => setTimeout(resolve, pollMs)));
  }
}

/** Runs a program to its end. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const run = { words: wordsOf(args), input: options.input, env: options.env };
  learnCommand(run);
  const child = spawn(command, args, {
    cwd: options.cwd ?? repository,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), options.deadlineMs ?? commandMs);
  try {
    const [stdout, stderr, code] = await Promise.all([
      readAll(child.stdout),
      readAll(child.stderr),
      new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (exit) => resolve(exit));
        child.stdin.on('error', () => undefined);
        child.stdin.end(options.input ?? '');
      }),
    ]);
    searchPrinted(run, stdout);
    searchPrinted(run, stderr);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(killer);
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

export interface SystemOptions {
  /** Keep the home of an earlier system instead of a new one. */
  readonly home?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Wait for this on either stream of the launcher instead of for the banner. */
  readonly readyWhen?: RegExp;
}

/** A whole SPIKE as `npm start` makes it, with a home of its own and free ports. */
export class System implements AsyncDisposable {
  readonly home: Home;
  readonly #child: ChildProcess;
  readonly #ownHome: boolean;
  #output = '';

  private constructor(child: ChildProcess, home: Home, ownHome: boolean) {
    this.#child = child;
    this.home = home;
    this.#ownHome = ownHome;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#output += `${line}\n`;
      });
    }
  }

  static async start(options: SystemOptions = {}): Promise<System> {
    const root = options.home ?? (await mkdtemp(join(tmpdir(), 'spike-system-')));
    // One layer, unless the test is about the second.
    const env = { ...process.env, SPIKE_NEXUS_ADMIN_AUTH: 'svid', ...options.env, SPIKE_HOME: root };
    const args = [join(repository, 'bin', 'setup.mjs'), 'start', '--port', '0', '--keeper-probe', '100ms'];
    const child = spawn(process.execPath, [...args, ...(options.args ?? [])], {
      cwd: repository,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that the whole of it can be told to stop, as a terminal would.
      detached: true,
    });
    const system = new System(child, homeOf(env), options.home === undefined);
    try {
      const ready = options.readyWhen ?? /^SPIKE (is up|runs)/m;
      await until('the system is up', () => {
        assert.equal(child.exitCode, null, `the launcher ended:\n${system.#output}`);
        return ready.test(system.#output);
      });
      // The init code is gone when somebody used it.
      await learnPlaces(root);
      return system;
    } catch (error) {
      process.stderr.write(system.#output);
      await system[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    assert(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  /** Of the launcher; null while it runs and when a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Lines in which the launcher warned, but for the one that tells at each start of a system with one layer alone. */
  get warnings(): readonly string[] {
    return this.#output.split('\n').filter((line) => /warning/.test(line) && !line.includes('access.svid'));
  }

  /** All that the launcher printed until now. */
  get output(): string {
    return this.#output;
  }

  async context(): Promise<Context> {
    const context = await readContext(this.home);
    assert(context !== undefined, 'there is no context file');
    return context;
  }

  /** What Nexus says of itself on its health port; undefined while nobody answers. */
  async health(): Promise<{ readonly ready: boolean; readonly state: string } | undefined> {
    const { healthUrl } = await this.context();
    const answer = await fetch(`${healthUrl}/health/ready`).catch(() => undefined);
    return (await answer?.json().catch(() => undefined)) as { ready: boolean; state: string } | undefined;
  }

  /** Waits until Nexus serves secrets. */
  async ready(): Promise<void> {
    await until('Nexus is ready', async () => (await this.health())?.ready);
  }

  /** Runs the `spike` command as another terminal would. */
  async spike(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await runProgram(process.execPath, [join(repository, 'bin', 'spike.mjs'), ...args], {
      ...options,
      env: { SPIKE_HOME: this.home.root, ...options.env },
    });
  }

  /** The same, and it must succeed; returns its standard output. */
  async mustSpike(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const outcome = await this.spike(args, options);
    assert.equal(outcome.code, 0, `spike ${args.join(' ')}: ${outcome.stderr}${outcome.stdout}`);
    return outcome.stdout;
  }

  /** Pids of the processes of one part, oldest first: those of our group whose arguments name the part. */
  async pidsOf(part: string): Promise<readonly number[]> {
    const found: number[] = [];
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const [stat, line] = await Promise.all([
        readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''),
        readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => ''),
      ]);
      const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
      if (group === this.pid && line.includes(`app/${part}/`)) found.push(Number(name));
    }
    return found.toSorted((a, b) => a - b);
  }

  /** SIGTERM to the whole group, as Ctrl-C in a terminal would be; resolves when the launcher is gone. */
  async stop(): Promise<void> {
    this.#signalGroup('SIGTERM');
    await this.#gone();
  }

  /** SIGKILL to the whole group: what a power cut leaves, but for what the kernel had not written yet. */
  async kill(): Promise<void> {
    this.#signalGroup('SIGKILL');
    await this.#gone();
  }

  /** Fails when its files or its log hold anything secret that this process has used, elsewhere than where it belongs. */
  async searchForLeaks(): Promise<void> {
    await searchWritten(this.home.root, { 'the log of the launcher and its parts': this.#output });
  }

  async #gone(): Promise<void> {
    await until(
      'the launcher is gone',
      () => this.#child.exitCode !== null || this.#child.signalCode !== null,
    );
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group is gone already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
    this.#signalGroup('SIGKILL');
    try {
      await this.searchForLeaks();
    } finally {
      if (this.#ownHome) await rm(this.home.root, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}
