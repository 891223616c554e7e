import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from '../system.ts';

const endMs = 20_000;
const keptLines = 2_000;

/** A program that runs until it is told to end. The kernel ends it with this process, however that ends. */
export class Daemon implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #failure: Error | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.once('error', (error) => {
      this.#failure = error;
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line);
        if (this.#lines.length > keptLines) this.#lines.shift();
      });
    }
  }

  static start(name: string, file: string, args: readonly string[]): Daemon {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Daemon(name, child);
  }

  get running(): boolean {
    return this.#failure === undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its last lines. */
  get log(): string {
    return [...(this.#failure === undefined ? [] : [this.#failure.message]), ...this.#lines].join('\n');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  async end(): Promise<void> {
    this.signal('SIGTERM');
    const killer = setTimeout(() => this.signal('SIGKILL'), endMs);
    try {
      await until(`${this.name} has ended`, () => !this.running, 2 * endMs);
    } finally {
      clearTimeout(killer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
