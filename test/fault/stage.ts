import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { System, type SystemOptions } from '../system.ts';
import { buildShim } from './build.ts';
import { Control } from './control.ts';

export interface StageOptions extends Pick<SystemOptions, 'args' | 'env'> {
  /** Modules that Nexus loads before its own, to be broken where a test says. */
  readonly preload?: readonly string[];
}

/** A directory with all that a system under the shim needs; the system in it can end and begin again. */
export class Stage implements AsyncDisposable {
  readonly directory: string;
  readonly control: Control;
  readonly journal: string;
  readonly #shim: string;
  readonly #options: StageOptions;

  private constructor(directory: string, shim: string, options: StageOptions) {
    this.directory = directory;
    this.control = new Control(join(directory, 'control'));
    this.journal = join(directory, 'journal');
    this.#shim = shim;
    this.#options = options;
  }

  static async open(options: StageOptions = {}): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'spike-fault-'));
    return new Stage(directory, await buildShim(directory), options);
  }

  get home(): string {
    return join(this.directory, 'home');
  }

  /** Environment of a process whose disk and clock are those of the stage: of Nexus, unless another is named. */
  env(part = 'app/nexus/'): Readonly<Record<string, string>> {
    const { preload = [] } = this.#options;
    return {
      LD_PRELOAD: this.#shim,
      FAULT_CONTROL: this.control.path,
      FAULT_ROOT: this.home,
      FAULT_JOURNAL: this.journal,
      FAULT_PROCESS: part,
      ...(preload.length === 0 ? {} : { FAULT_NODE: preload.map((path) => `--import=${path}`).join(' ') }),
    };
  }

  async start(home: string = this.home): Promise<System> {
    const { args, env } = this.#options;
    return await System.start({
      home,
      ...(args === undefined ? {} : { args }),
      env: { ...env, ...this.env() },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.control[Symbol.dispose]();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
