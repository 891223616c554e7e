import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runScript, type RunScriptOptions, type ScriptRun } from '@spike/reset/testing';
import type { System } from './system.ts';

export async function instanceOf(system: System): Promise<string> {
  const status = JSON.parse(await system.mustSpike(['status', '-f', 'json'])) as {
    nexus: { instance: string };
  };
  return status.nexus.instance;
}

/** The script of a factory reset of a system that runs, in a file of ours, as a person saves it. */
export class PrintedReset {
  readonly path: string;
  readonly instance: string;
  readonly text: string;

  private constructor(path: string, instance: string, text: string) {
    this.path = path;
    this.instance = instance;
    this.text = text;
  }

  static async print(system: System, directory: string): Promise<PrintedReset> {
    const text = await system.mustSpike(['reset', '--force']);
    return await PrintedReset.save(text, await instanceOf(system), directory);
  }

  static async save(text: string, instance: string, directory: string): Promise<PrintedReset> {
    const path = join(directory, 'reset.sh');
    await writeFile(path, text, { mode: 0o600 });
    await chmod(path, 0o600);
    return new PrintedReset(path, instance, text);
  }

  /** Runs it as somebody who means it. */
  async run(options: RunScriptOptions = {}): Promise<ScriptRun> {
    const answers = [`all secrets of ${this.instance} may be lost`, this.instance];
    return await runScript(this.path, { answers, ...options });
  }

  async mustRun(options: RunScriptOptions = {}): Promise<string> {
    const run = await this.run(options);
    assert.equal(run.code, 0, run.output);
    return run.output;
  }
}
