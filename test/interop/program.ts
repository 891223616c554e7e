import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { learnFields } from '../known/call.ts';
import { until } from '../system.ts';

export type Said = Readonly<Record<string, unknown>>;

const sayMs = 20_000;

/** A foreign program that says one JSON object a line and ends with its standard input. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #said: Said[] = [];
  readonly #ended: Promise<void>;
  readonly #owned = new AsyncDisposableStack();
  #complaint = '';
  #read = 0;
  #isOver = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    child.once('close', () => {
      this.#isOver = true;
      resolve();
    });
    child.once('error', (error) => {
      this.#complaint += error.message;
    });
    child.stdin?.on('error', () => undefined);
    assert.ok(child.stdout !== null && child.stderr !== null);
    createInterface({ input: child.stdout }).on('line', (line) => this.#said.push(parse(line)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text;
    });
  }

  static start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Program {
    return new Program(spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe' }));
  }

  /** The next line that it says, and that it has not been asked for before. */
  async next(what: string): Promise<Said> {
    const at = this.#read;
    await until(
      what,
      () => {
        if (this.#said.length > at) return true;
        assert.ok(!this.#isOver, `the program ended instead: ${what}\n${this.#complaint}`);
        return false;
      },
      sayMs,
    );
    this.#read += 1;
    const said = this.#said[at];
    assert.ok(said !== undefined);
    return said;
  }

  /** The next line that is as wanted; those before it are passed over. */
  async find(what: string, wanted: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const said = await this.next(what);
      if (wanted(said)) return said;
    }
  }

  /** Says a line to it and waits for its answer. */
  async ask(call: Said): Promise<Said> {
    learnFields(call);
    this.#child.stdin?.write(`${JSON.stringify(call)}\n`);
    return await this.next(`an answer to ${JSON.stringify(call)}`);
  }

  /** Disposed when the program has ended. */
  own(resource: AsyncDisposable): void {
    this.#owned.use(resource);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), sayMs);
    await this.#ended;
    clearTimeout(killer);
    await this.#owned[Symbol.asyncDispose]();
  }
}

function parse(line: string): Said {
  const value: unknown = JSON.parse(line);
  assert.ok(typeof value === 'object' && value !== null, line);
  return Object.fromEntries(Object.entries(value));
}
