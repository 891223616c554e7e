import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { runProgram, until } from '../system.ts';
import { Daemon } from './daemon.ts';
import { asObject, listOf, textOf } from './json.ts';

/** How fast SPIRE tells agents and workloads of a change: as deploy/spire/ sets it, or as it comes. */
export type Pace = 'fast' | 'default';

export interface ServerOptions {
  readonly program: string;
  readonly directory: string;
  readonly trustDomain: string;
  readonly pace: Pace;
}

export interface Entry {
  readonly spiffeId: string;
  /** Such as `unix:path:/usr/bin/app`; a process needs all of them. */
  readonly selectors: readonly string[];
  readonly hint?: string;
  /** Life of the SVIDs. */
  readonly ttlSeconds?: number;
  /** Trust domains whose bundles come with its SVIDs. */
  readonly federatesWith?: readonly string[];
}

/** On which it listens. */
interface Ports {
  readonly api: number;
  readonly bundle: number;
}

const deadlineMs = 120_000;

/** What the authority that SPIRE signs with goes through. */
type AuthorityStep = 'activate' | 'taint' | 'revoke';

/** Whose workloads all entries are for: every agent that joins gets this ID besides its own. */
const nodePath = '/node';

/** A SPIRE server with a directory of its own, and the `spire-server` command as an operator uses it. */
export class SpireServer implements AsyncDisposable {
  readonly trustDomain: string;
  readonly port: number;
  readonly bundlePort: number;
  readonly #program: string;
  readonly #directory: string;
  readonly #config: string;
  readonly #socket: string;
  #daemon: Daemon;

  private constructor(options: ServerOptions, ports: Ports, config: string, socket: string) {
    this.trustDomain = options.trustDomain;
    this.port = ports.api;
    this.bundlePort = ports.bundle;
    this.#directory = options.directory;
    this.#program = options.program;
    this.#config = config;
    this.#socket = socket;
    this.#daemon = this.#launch();
  }

  static async start(options: ServerOptions): Promise<SpireServer> {
    const { directory } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const ports = { api: await freePort(), bundle: await freePort() };
    const [socket, config] = [join(directory, 'api.sock'), join(directory, 'conf')];
    await writeFile(config, configOf(options, ports, socket), { mode: 0o600 });
    const server = new SpireServer(options, ports, config, socket);
    try {
      await server.#reachServing();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get running(): boolean {
    return this.#daemon.running;
  }

  get log(): string {
    return this.#daemon.log;
  }

  /** After this it is gone, and `startAgain` brings back the same with all that it knew. */
  async stop(): Promise<void> {
    await this.#daemon.end();
  }

  async startAgain(): Promise<void> {
    await this.stop();
    this.#daemon = this.#launch();
    await this.#reachServing();
  }

  /** Runs a command of `spire-server` that must succeed. */
  async run(words: readonly string[], input = ''): Promise<string> {
    const args = [...words, '-socketPath', this.#socket];
    const { code, stdout, stderr } = await runProgram(this.#program, args, { input, deadlineMs });
    assert.equal(code, 0, `spire-server ${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Creates entries in one step; answers their IDs in the same order. */
  async createEntries(entries: readonly Entry[]): Promise<readonly string[]> {
    const data = {
      entries: entries.map(({ spiffeId, selectors, hint = '', ttlSeconds = 0, federatesWith = [] }) => ({
        spiffe_id: spiffeId,
        parent_id: this.id(nodePath),
        selectors: selectors.map(toSelector),
        hint,
        x509_svid_ttl: ttlSeconds,
        federates_with: federatesWith.map((name) => `spiffe://${name}`),
      })),
    };
    const answer = await this.#ask(['entry', 'create', '-data', '-'], JSON.stringify(data));
    return listOf(answer, 'results').map((result) => textOf(asObject(result['entry']), 'id'));
  }

  async createEntry(entry: Entry): Promise<string> {
    const [id] = await this.createEntries([entry]);
    assert(id !== undefined);
    return id;
  }

  /** Deletes entries in one step. */
  async deleteEntries(ids: readonly string[]): Promise<void> {
    await this.run(['entry', 'delete', '-file', '-'], JSON.stringify({ ids }));
  }

  async updateEntry(
    id: string,
    { spiffeId, selectors, hint, ttlSeconds, federatesWith = [] }: Entry,
  ): Promise<void> {
    const options = {
      '-entryID': id,
      '-parentID': this.id(nodePath),
      '-spiffeID': spiffeId,
      ...(hint === undefined ? {} : { '-hint': hint }),
      ...(ttlSeconds === undefined ? {} : { '-x509SVIDTTL': String(ttlSeconds) }),
    };
    const lists = [
      ...selectors.flatMap((selector) => ['-selector', selector]),
      ...federatesWith.flatMap((name) => ['-federatesWith', `spiffe://${name}`]),
    ];
    await this.run(['entry', 'update', ...Object.entries(options).flat(), ...lists]);
  }

  /** Gets the other's bundle from its bundle endpoint from now on, and has it as it is now. */
  async federateWith(other: SpireServer): Promise<void> {
    const file = join(this.#directory, `${other.trustDomain}.json`);
    await writeFile(file, await other.run(['bundle', 'show', '-format', 'spiffe']));
    const options = {
      '-trustDomain': other.trustDomain,
      '-bundleEndpointProfile': 'https_spiffe',
      '-bundleEndpointURL': `https://127.0.0.1:${other.bundlePort}`,
      '-endpointSpiffeID': other.id('/spire/server'),
      '-trustDomainBundleFormat': 'spiffe',
      '-trustDomainBundlePath': file,
    };
    await this.run(['federation', 'create', ...Object.entries(options).flat()]);
  }

  /** The end of it: nobody gets the other's bundle any more. */
  async endFederationWith(other: SpireServer): Promise<void> {
    await this.run(['federation', 'delete', '-id', other.id('')]);
    await this.run(['bundle', 'delete', '-id', other.id(''), '-mode', 'dissociate']);
  }

  /** The trust domains whose bundles it has. */
  async federatedBundles(): Promise<readonly string[]> {
    const answer = await this.#ask(['bundle', 'list']);
    return listOf(answer, 'bundles').map((bundle) => textOf(bundle, 'trust_domain'));
  }

  /** A token with which one agent joins. */
  async makeJoinToken(): Promise<string> {
    return textOf(await this.#ask(['token', 'generate', '-spiffeID', this.id(nodePath)]), 'value');
  }

  async bundlePem(): Promise<string> {
    return await this.run(['bundle', 'show']);
  }

  async evictAgent(spiffeId: string): Promise<void> {
    await this.run(['agent', 'evict', '-spiffeID', spiffeId]);
  }

  async banAgent(spiffeId: string): Promise<void> {
    await this.run(['agent', 'ban', '-spiffeID', spiffeId]);
  }

  async agentIds(): Promise<readonly string[]> {
    const answer = await this.#ask(['agent', 'list']);
    return listOf(answer, 'agents').map((agent) => {
      const id = asObject(agent['id']);
      return `spiffe://${textOf(id, 'trust_domain')}${textOf(id, 'path')}`;
    });
  }

  /** IDs of the authorities that SPIRE signs, signed, or will sign X.509-SVIDs with. */
  async authorities(): Promise<Readonly<Record<'active' | 'prepared' | 'old', string | undefined>>> {
    const answer = await this.#ask(['localauthority', 'x509', 'show']);
    const idOf = (name: string): string | undefined => {
      const authority = asObject(answer[name] ?? {});
      return 'authority_id' in authority ? textOf(authority, 'authority_id') : undefined;
    };
    return { active: idOf('active'), prepared: idOf('prepared'), old: idOf('old') };
  }

  async prepareAuthority(): Promise<void> {
    await this.run(['localauthority', 'x509', 'prepare']);
  }

  async moveAuthority(step: AuthorityStep, id: string): Promise<void> {
    await this.run(['localauthority', 'x509', step, '-authorityID', id]);
  }

  id(path: string): string {
    return `spiffe://${this.trustDomain}${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }

  async #ask(words: readonly string[], input?: string): Promise<Readonly<Record<string, unknown>>> {
    const text = await this.run([...words, '-output', 'json'], input);
    return asObject(JSON.parse(text));
  }

  #launch(): Daemon {
    return Daemon.start('the SPIRE server', this.#program, ['run', '-config', this.#config]);
  }

  async #reachServing(): Promise<void> {
    await until('the SPIRE server serves', async () => {
      assert(this.#daemon.running, `the SPIRE server ended:\n${this.#daemon.log}`);
      const args = ['healthcheck', '-socketPath', this.#socket];
      return (await runProgram(this.#program, args)).code === 0;
    });
  }
}

function configOf({ directory, trustDomain, pace }: ServerOptions, ports: Ports, socket: string): string {
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${ports.api}"
  socket_path = "${socket}"
  trust_domain = "${trustDomain}"
  data_dir = "${directory}"
  log_level = "INFO"
  federation {
    bundle_endpoint { address = "127.0.0.1", port = ${ports.bundle}, profile "https_spiffe" {} }
  }
  ${pace === 'fast' ? 'experimental { cache_reload_interval = "1s" }' : ''}
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3", connection_string = "${directory}/store.sqlite3" } }
  KeyManager "disk" { plugin_data { keys_path = "${directory}/keys.json" } }
  NodeAttestor "join_token" { plugin_data {} }
}
`;
}

/** `unix:path:/x` is the type `unix` with the value `path:/x`. */
function toSelector(text: string): { readonly type: string; readonly value: string } {
  const colon = text.indexOf(':');
  assert(colon > 0, text);
  return { type: text.slice(0, colon), value: text.slice(colon + 1) };
}

/** SPIRE takes no port 0. */
async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const probe = createServer().listen(0, '127.0.0.1', () => resolve());
  await promise;
  const address = probe.address();
  assert(address !== null && typeof address === 'object');
  const closed = Promise.withResolvers<void>();
  probe.close(() => closed.resolve());
  await closed.promise;
  return address.port;
}
