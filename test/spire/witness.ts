import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository, until } from '../system.ts';
import { asObject, listOf, textOf } from './json.ts';

export interface Sighting {
  readonly kind: string;
  /** SPIFFE IDs, in order. */
  readonly ids: readonly string[];
  readonly atMs: number;
}

/** The monotonic clock, the same for all processes of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Somebody whom the agent takes for a part, and who says when he was told what: the clock of the measurements. */
export class Witness implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #seen: Sighting[] = [];
  #complaint = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    assert(child.stdout !== null && child.stderr !== null);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = asObject(JSON.parse(line));
      const ids = listOf(said, 'svids').map((svid) => textOf(svid, 'id'));
      this.#seen.push({ kind: textOf(said, 'kind'), ids: ids.toSorted(), atMs: Number(said['atMs']) });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaint += text));
  }

  /** Runs in this Node, by whose path the agent knows it; resolves when it has its identity. */
  static async start(node: string, endpoint: string): Promise<Witness> {
    const program = join(repository, 'test', 'spire', 'witness-program.ts');
    const child = spawn(node, ['--disable-warning=ExperimentalWarning', program], {
      env: { ...process.env, SPIFFE_ENDPOINT_SOCKET: endpoint },
      stdio: 'pipe',
    });
    const witness = new Witness(child);
    await witness.sees('received', -Infinity);
    return witness;
  }

  /** The first sighting of a kind after a moment; waits for it. */
  async sees(kind: string, sinceMs: number): Promise<Sighting> {
    return await until(`the agent said ${kind}`, () => {
      assert.equal(this.#child.exitCode, null, this.#complaint);
      return this.#seen.find((sighting) => sighting.kind === kind && sighting.atMs > sinceMs);
    });
  }

  /** The newest sighting, once it is one of SVIDs with these paths and no others. */
  async seesSvids(paths: readonly string[]): Promise<Sighting> {
    return await until(`the agent gave ${paths.join(', ')}`, () => {
      const newest = this.#seen.at(-1);
      return newest?.ids.map((id) => new URL(id).pathname).join() === paths.join() && newest;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    this.#child.kill('SIGKILL');
    await until(
      'the witness has ended',
      () => this.#child.exitCode !== null || this.#child.signalCode !== null,
    );
  }
}
