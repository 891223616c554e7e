import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TestAgent, type TestCertificate } from '@spike/spiffe/testing';
import { X509Svid, type X509BundleSet } from '@spike/spiffe';
import { searchWritten } from '../known/place.ts';
import { openScratch, repository, until } from '../system.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface PartOptions {
  readonly app: 'nexus' | 'keeper';
  readonly certificate: TestCertificate;
  readonly bundles: X509BundleSet;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Nexus or a Keeper as a process of its own, with an identity from a Workload API of ours: so its trust root can sign
 * what no honest authority would.
 */
export class RealPart implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #child: ChildProcess;
  readonly #home: string;
  readonly #log: string[] = [];
  #port = 0;

  private constructor(stack: AsyncDisposableStack, child: ChildProcess, home: string) {
    this.#stack = stack;
    this.#child = child;
    this.#home = home;
    assert.ok(child.stdout !== null && child.stderr !== null);
    createInterface({ input: child.stderr }).on('line', (line) => this.#log.push(line));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const port = /"port":(\d+)/.exec(line)?.[1];
      if (port !== undefined) this.#port = Number(port);
    });
  }

  static async start({ app, certificate, bundles, env }: PartOptions): Promise<RealPart> {
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await TestAgent.open('spike.ist'));
    const scratch = stack.use(await openScratch());
    const { cert, key } = certificate.toPem();
    agent.say({ svids: [X509Svid.parsePem(cert, key)], bundles });
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(repository, 'app', app, 'src', 'main.ts')],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          SPIKE_HOME: scratch.path,
          SPIKE_SUPERVISED: '1',
          SPIKE_TRUST_ROOT: 'spike.ist',
          SPIKE_NEXUS_ADMIN_AUTH: 'svid',
          SPIFFE_ENDPOINT_SOCKET: agent.endpoint,
          ...env,
        },
      },
    );
    const closed = new Promise((resolve) => child.once('close', resolve));
    stack.defer(async () => {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await closed;
      clearTimeout(killer);
    });
    const part = new RealPart(stack.move(), child, scratch.path);
    try {
      await until(`${app} serves`, () => {
        part.assertAlive();
        return part.#port !== 0;
      });
      return part;
    } catch (error) {
      await part[Symbol.asyncDispose]();
      throw error;
    }
  }

  get address(): Address {
    return { host: '127.0.0.1', port: this.#port };
  }

  get pid(): number {
    assert.ok(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  /** It has not ended: no hostile peer may bring it to that. */
  assertAlive(): void {
    assert.equal(this.#child.exitCode ?? this.#child.signalCode, null, this.#log.join('\n'));
  }

  /** How many requests got as far as HTTP: each writes one audit line, be it refused or served. With `by`, of that ID alone. */
  async requests(by = ''): Promise<number> {
    const file = join(this.#home, 'nexus', 'audit', `${'0'.repeat(20)}.jsonl`);
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = [...text.split('\n'), ...this.#log.filter((line) => line.startsWith('{"audit":'))];
    // Lines that no request made have no caller.
    return lines.filter((line) => line.includes('"spiffeId"') && line.includes(by)).length;
  }

  /** Codes of the refusals that it logged; of those in one second it logs the first alone. */
  get refusals(): readonly string[] {
    return this.#log.flatMap((line) => {
      const value: unknown = JSON.parse(line);
      if (typeof value !== 'object' || value === null || !line.includes('connection.refused')) return [];
      return [String(Reflect.get(value, 'code'))];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _stack = this.#stack;
    await searchWritten(this.#home, { 'its log': this.#log.join('\n') });
  }
}
