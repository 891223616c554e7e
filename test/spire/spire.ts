import { join } from 'node:path';
import { openScratch } from '../system.ts';
import { SpireAgent } from './agent.ts';
import { buildSpire } from './build.ts';
import { SpireServer, type Pace } from './server.ts';

/** A SPIRE server and one agent of it, on loopback and in a directory of their own. */
export class Spire implements AsyncDisposable {
  readonly server: SpireServer;
  readonly agent: SpireAgent;
  readonly #stack: AsyncDisposableStack;

  private constructor(server: SpireServer, agent: SpireAgent, stack: AsyncDisposableStack) {
    this.server = server;
    this.agent = agent;
    this.#stack = stack;
  }

  static async start({
    trustDomain = 'spike.test',
    pace = 'fast',
  }: { readonly trustDomain?: string; readonly pace?: Pace } = {}): Promise<Spire> {
    const programs = await buildSpire();
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await openScratch());
    const server = stack.use(
      await SpireServer.start({
        program: programs.server,
        directory: join(path, 'server'),
        trustDomain,
        pace,
      }),
    );
    const agent = stack.use(
      await SpireAgent.start({ program: programs.agent, directory: join(path, 'agent'), server, pace }),
    );
    return new Spire(server, agent, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}
