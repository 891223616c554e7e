import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from '../system.ts';
import { Daemon } from './daemon.ts';
import type { Pace, SpireServer } from './server.ts';

export interface AgentOptions {
  readonly program: string;
  readonly directory: string;
  readonly server: SpireServer;
  readonly pace: Pace;
}

/** A SPIRE agent that joined by a token and tells workloads of this machine apart by user and executable. */
export class SpireAgent implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #socket: string;
  #daemon: Daemon | undefined;

  private constructor(options: AgentOptions) {
    this.#options = options;
    this.#socket = join(options.directory, 'agent.sock');
  }

  static async start(options: AgentOptions): Promise<SpireAgent> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    const agent = new SpireAgent(options);
    try {
      await agent.join();
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What SPIFFE_ENDPOINT_SOCKET has to be. */
  get endpoint(): string {
    return `unix://${this.#socket}`;
  }

  get running(): boolean {
    return this.#daemon?.running ?? false;
  }

  get log(): string {
    return this.#daemon?.log ?? '';
  }

  /** Starts it with a new token: as a machine that the server does not know. */
  async join(): Promise<void> {
    const { directory, server } = this.#options;
    const token = join(directory, 'token');
    await writeFile(token, await server.makeJoinToken(), { mode: 0o600 });
    await writeFile(join(directory, 'bundle.pem'), await server.bundlePem());
    await writeFile(join(directory, 'conf'), configOf(this.#options, this.#socket, token), { mode: 0o600 });
    await this.startAgain();
  }

  async stop(): Promise<void> {
    await this.#daemon?.end();
  }

  async startAgain(): Promise<void> {
    await this.stop();
    const { program, directory } = this.#options;
    const daemon = Daemon.start('the SPIRE agent', program, ['run', '-config', join(directory, 'conf')]);
    this.#daemon = daemon;
    await until('the SPIRE agent serves', async () => {
      assert(daemon.running, `the SPIRE agent ended:\n${daemon.log}`);
      return await answers(this.#socket);
    });
  }

  /** It is there and says nothing, as on a machine that is overloaded. */
  freeze(): void {
    this.#daemon?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#daemon?.signal('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    await this.stop();
  }
}

function configOf({ directory, server, pace }: AgentOptions, socket: string, token: string): string {
  return `
agent {
  data_dir = "${directory}"
  log_level = "INFO"
  server_address = "127.0.0.1"
  server_port = "${server.port}"
  socket_path = "${socket}"
  trust_domain = "${server.trustDomain}"
  trust_bundle_path = "${directory}/bundle.pem"
  join_token_file = "${token}"
  ${pace === 'fast' ? 'experimental { sync_interval = "1s" }' : ''}
}
plugins {
  KeyManager "disk" { plugin_data { directory = "${directory}" } }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data { discover_workload_path = true, workload_size_limit = 0 } }
}
`;
}

async function answers(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket, () => resolve(true)).once('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    connection.destroy();
  }
}
