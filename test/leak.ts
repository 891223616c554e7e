import { readdir, readFile } from 'node:fs/promises';
import { until, type Outcome, type RunOptions, type System } from './system.ts';

export interface Printed {
  readonly args: readonly string[];
  readonly text: string;
  /** What it was asked for, and may print. */
  readonly holds: readonly string[];
}

/** Runs commands and keeps what they print. */
export class Recorder {
  readonly printed: Printed[] = [];
  /** Another one after a restart. */
  system: System;

  constructor(system: System) {
    this.system = system;
  }

  async spike(
    args: readonly string[],
    options: RunOptions & { readonly code?: number; readonly holds?: readonly string[] } = {},
  ): Promise<string> {
    const { code = 0, holds = [], ...rest } = options;
    const outcome: Outcome = await this.system.spike(args, rest);
    if (outcome.code !== code)
      throw new Error(
        `spike ${args.join(' ')} ended with ${outcome.code}: ${outcome.stdout}${outcome.stderr}`,
      );
    this.printed.push({ args, text: outcome.stdout + outcome.stderr, holds });
    return outcome.stdout;
  }
}

/** Looks at the arguments of every process of this machine, again and again until it is disposed. */
export class Watcher implements AsyncDisposable {
  readonly #seen = new Set<string>();
  readonly #stop = new AbortController();
  readonly #watching = this.#watch();
  #rounds = 0;

  /** All that was seen. */
  get seen(): string {
    return [...this.#seen].join('\n');
  }

  /** Of looks that began after now, one is over. */
  async look(): Promise<void> {
    const wanted = this.#rounds + 2;
    await until('it has looked', () => this.#rounds >= wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue;
        const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
        if (line !== '') this.#seen.add(line);
      }
      this.#rounds += 1;
    }
  }
}
